"""A whole playbook engine in a temporary folder, with connectors that keep what was done to them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.databases import opened_in
from tests.unit.playbooks.alert_triggers import SecurityCenterAlert, SentinelAlert

from guardship.clock import Clock, SystemClock, to_micros
from guardship.playbooks.automation_rules import AutomationRules
from guardship.playbooks.batches import Batches
from guardship.playbooks.child_runs import ChildRuns
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    CallHeld,
    Connector,
    ConnectorRequest,
    ConnectorResponse,
    ConnectorSet,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.playbooks.dispatch.boundary import Dispatch
from guardship.playbooks.dispatch.procrastinate import ProcrastinateDispatch, prepare
from guardship.playbooks.dispatch.temporal import TemporalDispatch
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Journal
from guardship.playbooks.library import Draft, Library
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.runner import Runner
from guardship.playbooks.runs import Runs
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.postgres import PostgresServer
from guardship.storage.vault import Vault

EXAMPLE = Path(__file__).parents[3] / "src/guardship/server/content/isolate-on-a-high-alert.json"
CONNECTIONS = {"$connections": {"type": "Object", "defaultValue": {}}}
REQUEST_TRIGGER = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}}


@dataclass
class World:
    """What connectors have done to the outside, by idempotency key, in a file that outlives the process."""

    path: Path

    def did(self, name: str, key: str, what: Mapping[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"name": name, "key": key, **what}) + "\n")
            file.flush()

    def deeds(self, name: str | None = None) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [one for one in found if name in (None, one["name"])]


@dataclass
class Desk:
    """A connector with one operation of each recovery, which answers as the playbook's body asks it to."""

    world: World
    name: str = "desk"
    title: str = "Desk"
    operations: tuple[Operation, ...] = (
        Operation("look", "GET", "/things/{thing}", Recovery.RETRY, has_effect=False),
        Operation("put", "PUT", "/things/{thing}", Recovery.PROBE),
        Operation("again", "POST", "/repeatable", Recovery.RETRY),
        Operation("send", "POST", "/letters", Recovery.ASK),
        Operation("subscribe", "POST", "/things/{thing}/$subscriptions", Recovery.RETRY),
    )
    triggers: tuple[TriggerOffer, ...] = ()
    seen: list[ConnectorRequest] = field(default_factory=list)
    fail_first: dict[str, int] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    held_for: timedelta = timedelta(minutes=15)
    held: list[CallContext] = field(default_factory=list)

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        self.seen.append(request)
        body = request.body if isinstance(request.body, dict) else {}
        if "hold" in body and body["hold"] not in self.approved:
            self._hold(str(body["hold"]), context)
        if request.operation != "look":
            self.world.did(request.operation, context.idempotency_key, {"run": context.run_id, "attempt": context.attempt, "body": body})
        left = self.fail_first.get(context.action_key, 0)
        if left:
            self.fail_first[context.action_key] = left - 1
            return ConnectorResponse(503, {}, {"error": {"message": "busy"}})
        if "seconds" in body:
            await asyncio.sleep(float(body["seconds"]))
        if "raise" in body:
            raise CallFailed("Broken", str(body["raise"]), is_unknown=bool(body.get("unknown")))
        return ConnectorResponse(
            int(body.get("status", 200)), {"Content-Type": "application/json"}, {"thing": request.segments.get("thing"), "said": body}
        )

    def _hold(self, approval_id: str, context: CallContext) -> None:
        """As a connector does that has to ask a person; nobody answers after `held_for`."""
        if context.approval_id is not None and self.held_for <= timedelta():
            raise CallFailed("NotApproved", "expired")
        self.held.append(context)
        raise CallHeld(approval_id, f"{approval_id}: a person has to approve", until=datetime.now(UTC) + self.held_for)

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        known = any(deed["key"] == context.idempotency_key for deed in self.world.deeds(request.operation))
        return ConnectorResponse(200, {}, {"thing": request.segments.get("thing"), "probed": True}) if known else None


@dataclass
class Room:
    database: Database
    library: Library
    runner: Runner
    runs: Runs
    rules: AutomationRules
    journal: Journal
    desk: Desk
    world: World
    vault: Vault
    batches: Batches
    known: ConnectorSet

    def draft(self, actions: Mapping[str, Any], name: str = "probe", **more: Any) -> Draft:
        return self.library.import_definition(name, definition(actions, **more), by="ada")[0]

    def publish(self, actions: Mapping[str, Any], name: str = "probe", **more: Any) -> str:
        draft = self.draft(actions, name, **more)
        self.library.publish(draft.playbook_id, by="ada")
        return draft.playbook_id

    async def run(self, actions: Mapping[str, Any], body: Any = None, **more: Any) -> dict[str, Any]:
        """Publish, run to the end, and give the run's view."""
        playbook_id = self.publish(actions, **more)
        accepted = await self.runner.accept_soon(Firing(playbook_id, None, body))
        async with asyncio.timeout(30):
            await self.runner.wait_ended(accepted.run_id)
        return self.runs.view(accepted.run_id)


def definition(actions: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"parameters": CONNECTIONS, "triggers": REQUEST_TRIGGER, "actions": actions, **more}).encode()


def call(method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """An ApiConnection action on the desk."""
    inputs: dict[str, Any] = {
        "host": {"connection": {"name": "@parameters('$connections')['desk']['connectionId']"}},
        "method": method,
        "path": path,
    }
    if body is not None:
        inputs["body"] = body
    inputs.update(more.pop("inputs", {}))
    return {"type": "ApiConnection", "inputs": inputs, **more}


def after(*names: str, on: tuple[str, ...] = ("Succeeded",)) -> dict[str, list[str]]:
    return {name: list(on) for name in names}


def compose(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, **more}


def build(
    home: Path,
    *,
    fault_points: str = "",
    clock: Clock | None = None,
    connectors: tuple[Connector, ...] = (),
    dispatch: Dispatch | None = None,
    seat: str = "seat_a/",
    dispatching: str = "",
) -> Room:
    home.mkdir(parents=True, exist_ok=True)
    time, points = clock or SystemClock(), FaultPoints(fault_points)
    database = opened_in(home)
    vault, blobs = Vault.open(home / "vault.key"), Blobs(home / "blobs")
    world = World(home / "world.jsonl")
    desk = Desk(world)
    children, batches = ChildRuns(), Batches(database, time)
    known = ConnectorSet([desk, children, batches, SecurityCenterAlert(), SentinelAlert(), *connectors])
    library = Library(database, known, time, vault=vault, address="http://127.0.0.1:24080")
    journal = Journal(database, blobs, Payloads(vault), time, points, seat=seat)
    dispatch = dispatch or dispatch_of(dispatching, database, journal)
    runner = Runner(journal, library, known, Connections(database, vault, time), time, points, dispatch=dispatch)
    children.attach(library.published_named, runner.accept_soon)
    rules, runs = AutomationRules(database, time), Runs(database, blobs, library)
    return Room(database, library, runner, runs, rules, journal, desk, world, vault, batches, known)


def dispatch_of(kind: str, database: Database, journal: Journal) -> Dispatch | None:
    """`procrastinate`, or `temporal` and the address of its server; else the one inside the process."""
    if not kind:
        return None
    assert isinstance(database.kind, PostgresServer)
    if kind == "procrastinate":
        prepare(database.kind)
        return ProcrastinateDispatch(database.kind)
    address, queue = kind.removeprefix("temporal ").split()
    return TemporalDispatch(address, lambda run_id: journal.pause(run_id, to_micros(SystemClock().now())), queue=queue, news=database.kind)


@asynccontextmanager
async def engine_room(home: Path, **more: Any) -> AsyncIterator[Room]:
    room = build(home, **more)
    await room.runner.start()
    try:
        yield room
    finally:
        await room.runner.stop(grace_seconds=0.2)
        room.database.close()


def statuses(view: dict[str, Any]) -> dict[str, str]:
    """Every action of a run's view by its key."""
    found: dict[str, str] = {}
    waiting = list(view["actions"])
    while waiting:
        action = waiting.pop()
        found[action["key"]] = action["status"]
        for branch in action.get("branches", ()):
            waiting.extend(branch["actions"])
    return found
