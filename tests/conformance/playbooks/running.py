"""Runs workflows to their end in the real runner, on a real journal in a temporary folder."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.conformance.expressions.judge import CaseScope
from tests.conformance.playbooks import payloads
from tests.conformance.playbooks.answering import Answers
from tests.conformance.playbooks.hurried_clock import HurriedClock
from tests.conformance.playbooks.reading import TRIGGER, Readings

from guardship.clock import to_micros
from guardship.playbooks import timers
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.definition import Status, Trigger, Workflow
from guardship.playbooks.expressions.values import EvaluationFailed
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing, Published
from guardship.playbooks.journal import Journal
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.run_rows import RunRows
from guardship.playbooks.runner import Runner
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.vault import Vault

QUIET_SECONDS = 0.02
PATIENCE_SECONDS = 30.0
_CONSEQUENCES = ("ActionFailed", "NotSpecified")  # of a container: something inside it failed
MOST_ITEMS = 3  # of a trigger's splitOn: what one item does the next would do again


class Shelf:
    """The published versions of this run of the tests."""

    def __init__(self) -> None:
        self._known: dict[str, Published] = {}

    def put(self, playbook_id: str, workflow: Workflow) -> None:
        self._known[playbook_id] = Published(playbook_id, workflow.name, playbook_id, workflow)

    def published(self, playbook_id: str) -> Published:
        return self._known[playbook_id]

    def version(self, version_id: str) -> Published:
        return self._known[version_id]


class NoParameters:
    def parameters(self, connector: str) -> Mapping[str, Any]:
        return {}


class Connectors(ConnectorSet):
    """Those of the file that runs now."""

    def __init__(self) -> None:
        super().__init__(())
        self.now = ConnectorSet(())

    def get(self, name: str) -> Any:
        return self.now.get(name)


@dataclass(frozen=True, slots=True)
class End:
    status: str
    failures: tuple[str, ...] = ()


class Engine:
    def __init__(
        self,
        runner: Runner,
        journal: Journal,
        rows: RunRows,
        shelf: Shelf,
        connectors: Connectors,
        clock: HurriedClock,
        answers: Answers,
    ) -> None:
        self._rows = rows
        self.clock = clock
        self.answers = answers
        self._runner = runner
        self._journal = journal
        self._shelf = shelf
        self._connectors = connectors
        self._heard = time.monotonic()
        self._count = 0
        runner.listen(self._hear)
        answers.call_back = self._call_back

    async def run(self, workflow: Workflow, connectors: ConnectorSet, readings: Readings) -> list[End]:
        """How each run ended: one run, or one for each item of splitOn. Raises TimeoutError where one does not end."""
        self._count += 1
        playbook_id = f"pb_{self._count}"
        self._shelf.put(playbook_id, workflow)
        self._connectors.now, self.answers.readings = connectors, readings
        trigger = workflow.triggers[0]
        ends = []
        for body in bodies_of(trigger, readings):
            accepted = await self._runner.accept_soon(Firing(playbook_id, trigger.name, body))
            status = await self._end_of(accepted.run_id)
            ends.append(End(status, () if status == Status.SUCCEEDED else await asyncio.to_thread(self._failures, accepted.run_id)))
        return ends

    def _failures(self, run_id: str) -> tuple[str, ...]:
        """The actions that failed by themselves, with their reasons."""
        rows = self._rows.actions(run_id)
        return tuple(
            f"{row.key}: {row.code}: {row.error or ''}" for row in rows if row.status == Status.FAILED and row.code not in _CONSEQUENCES
        )

    async def _end_of(self, run_id: str) -> str:
        waiting = asyncio.ensure_future(self._runner.wait_ended(run_id))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not waiting.done():
                    await asyncio.wait({waiting}, timeout=QUIET_SECONDS / 2)
                    if time.monotonic() - self._heard > QUIET_SECONDS:
                        await self._put_clock_forward()
            return await waiting
        finally:
            waiting.cancel()

    async def _put_clock_forward(self) -> None:
        due_at = await asyncio.to_thread(self._journal.next_due)
        if due_at is not None and due_at > to_micros(self.clock.now()):
            self.clock.put_to(due_at)
            self._heard = time.monotonic()

    def _hear(self, run_id: str) -> None:
        self._heard = time.monotonic()

    async def _call_back(self, token: str, body: Any) -> bool:
        """Call the address an action gave away. False where the engine knows no such addresses (yet)."""
        messages = getattr(self._runner, "messages", None)
        if messages is None:
            return False
        call = import_module("guardship.playbooks.messages").AddressCall
        await messages.call_back(token, call("conformance", {"Content-Type": "application/json"}, {}, body))
        return True


@asynccontextmanager
async def engine(home: Path, answers: Answers) -> AsyncIterator[Engine]:
    clock, points = HurriedClock(), FaultPoints("")
    database = Database(home / "guardship.db")
    database.create_tables()
    shelf, connectors = Shelf(), Connectors()
    journal = Journal(database, Blobs(home / "blobs"), Payloads(Vault.open(home / "vault.key")), clock, points)
    runner = Runner(journal, shelf, connectors, NoParameters(), clock, points)
    patience, timers.POLL_SECONDS = timers.POLL_SECONDS, QUIET_SECONDS / 2
    await runner.start()
    try:
        yield Engine(runner, journal, RunRows(database), shelf, connectors, clock, answers)
    finally:
        timers.POLL_SECONDS = patience
        await runner.stop(grace_seconds=0.2)
        database.close()


def bodies_of(trigger: Trigger, readings: Readings) -> list[Any]:
    """What starts the playbook: the published payload, or for an address of ours what the definition reads of it."""
    body = body_of(trigger, readings)
    if trigger.split_on is None:
        return [body]
    try:
        items = trigger.split_on(CaseScope({"trigger": {"outputs": {"headers": {}, "body": body}}}))
    except EvaluationFailed:
        return [body]
    return items[:MOST_ITEMS] if isinstance(items, list) and items else [body]


def body_of(trigger: Trigger, readings: Readings) -> Any:
    published = payloads.published(trigger.payload)
    if published is not None:
        return published
    read = readings.body(TRIGGER)
    if trigger.kind.lower() == "batch":
        names = list(getattr(trigger, "batches", {})) or ["batch"]
        return payloads.batch(names[0], None) | (read if isinstance(read, dict) else {})
    return read
