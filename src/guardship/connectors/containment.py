"""Isolate and release as actions of a playbook, by containment's own hand.

    "Isolate": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/machines/@{encodeURIComponent('web-1')}/isolate",
     "host": {"connection": {"name": "@parameters('$connections')['containment']['connectionId']"}}, "body": {"reason": "High alert"}}}

An isolation that a person has to approve is held: the run waits as a row until the answer, as long as the action may. Green means that
the group was changed, and the isolation's findings say what a probe saw.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from guardship.clock import Clock
from guardship.cloud.arm import Actor, ActorKind, ArmError
from guardship.containment import isolations
from guardship.containment.clouds import CloudAccess, Clouds
from guardship.containment.isolations import Isolation, State
from guardship.containment.ledger import WriteHeld
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.identity import approvals
from guardship.identity.approvals import Answer
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    CallHeld,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.storage.database import Database
from guardship.telemetry import get_log

_STATUS = {Fault.NOT_FOUND: 404, Fault.BAD_INPUT: 400, Fault.FORBIDDEN: 403, Fault.CONFLICT: 409}

log = get_log("containment")

Given = TypeVar("Given")


class ContainmentConnector:
    name = "containment"
    title = "Containment"
    operations = (
        Operation("isolate", "post", "/machines/{machine}/isolate", Recovery.PROBE, summary="Move a machine to the closed security group"),
        Operation("release", "post", "/machines/{machine}/release", Recovery.PROBE, summary="Put back what the machine had"),
        Operation("verify", "post", "/machines/{machine}/verify", Recovery.RETRY, summary="Probe whether the machine is cut off"),
    )
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, clouds: Clouds, database: Database, clock: Clock) -> None:
        self._clouds = clouds
        self._database = database
        self._clock = clock

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        return await _told(self._act, request, context)

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        """Whether this run opened the isolation, or did the release, before the process died."""
        if request.operation == "verify":
            return None
        return await _told(self._known, request, context)

    def _known(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        machine = request.segments["machine"]
        try:
            machine = self._clouds.only().provider.machine(machine).machine_id
        except NotFound:
            log.info("containment.probed_by_name", machine=machine)  # one that is gone from the cloud can still be released
        with self._database.reading() as session:
            last = isolations.last_of(session, machine)
            if last is None:
                return None
            was_done = isolations.was_released_by(session, last, run_id=context.run_id)
            if request.operation == "isolate":  # what others have released since stays open; what this run released it may isolate again
                stands = last.state == State.ISOLATED or (last.state == State.RELEASED and not was_done)
                was_done = stands and last.run_id == context.run_id
            return _answer(last) if was_done else None

    def _act(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        machine = request.segments["machine"]
        cloud = self._clouds.only()
        actor = Actor(
            ActorKind.PLAYBOOK,
            context.playbook_name,
            run_id=context.run_id,
            incident_id=context.incident_id,
            reason=str(_reason(request.body) or f"run {context.run_number}"),
            person=context.person,
        )
        if context.approval_id is not None:
            self._demand_yes(context.approval_id)
        if request.operation == "isolate":
            isolation_id = self._isolate(cloud, machine, actor, context)
        elif request.operation == "release":
            isolation_id = cloud.isolator.release(machine, actor=actor)
        else:
            with self._database.reading() as session:
                found = isolations.open_isolation(session, cloud.provider.machine(machine).machine_id)
            if found is None:
                return ConnectorResponse(404, body={"error": {"code": "NotIsolated", "message": f"{machine} is not isolated"}})
            isolation_id = found.isolation_id
            cloud.verification.verify(isolation_id)
        with self._database.reading() as session:
            return _answer(isolations.get(session, isolation_id))

    def _isolate(self, cloud: CloudAccess, machine: str, actor: Actor, context: CallContext) -> str:
        try:
            return cloud.isolator.isolate(machine, actor=actor, idempotency_key=context.idempotency_key)
        except WriteHeld as held:
            with self._database.reading() as session:
                until = approvals.get(session, held.approval_id).expires_at
            raise CallHeld(held.approval_id, str(held), until=until) from held

    def _demand_yes(self, approval_id: str) -> None:
        """What was held goes on with a yes alone; woken without an answer it waits on."""
        now = self._clock.now()
        with self._database.reading() as session:
            approval = approvals.get(session, approval_id)
        if approval.answer == Answer.APPROVED:
            return
        if approval.answer == Answer.WAITING and approval.expires_at > now:
            raise CallHeld(approval_id, approval.title, until=approval.expires_at)
        raise CallFailed("NotApproved", f"{approval.title}: {approvals.outcome_of(approval, now)}")


async def _told(
    act: Callable[[ConnectorRequest, CallContext], Given], request: ConnectorRequest, context: CallContext
) -> Given | ConnectorResponse:
    """What `act` gives; what is away comes back, so there the action's retry policy applies."""
    try:
        return await asyncio.to_thread(act, request, context)
    except (CallFailed, CallHeld):
        raise
    except ArmError as error:
        raise CallFailed("ArmError", str(error), may_retry=error.fault is Fault.UNAVAILABLE) from error
    except GuardshipError as error:
        return ConnectorResponse(_STATUS.get(error.fault, 500), body={"error": {"code": error.code, "message": str(error)}})


def _reason(body: Any) -> str | None:
    return body.get("reason") if isinstance(body, dict) else None


def _answer(isolation: Isolation) -> ConnectorResponse:
    names = ("isolation_id", "number", "machine_name", "state", "new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")
    end = ("ended_by", "end_reason") if isolation.state == State.RELEASED else ()
    return ConnectorResponse(200, body={name: getattr(isolation, name) for name in (*names, *end)})
