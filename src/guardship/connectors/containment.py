"""Isolate and release as actions of a playbook, by containment's own hand.

    "Isolate": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/machines/@{encodeURIComponent('web-1')}/isolate",
     "host": {"connection": {"name": "@parameters('$connections')['containment']['connectionId']"}}, "body": {"reason": "High alert"}}}

An isolation that a person has to approve waits here, as long as the action may; green means that the group was changed, and the
isolation's findings say what a probe saw.
"""

import asyncio
from typing import Any

from guardship.clock import Clock
from guardship.cloud.arm import Actor, ActorKind, ArmError
from guardship.containment import isolations
from guardship.containment.clouds import Clouds
from guardship.containment.isolations import Isolation
from guardship.containment.ledger import WriteHeld
from guardship.errors import Fault, GuardshipError
from guardship.identity import approvals
from guardship.identity.approvals import Answer
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse, Operation, Recovery, TriggerOffer
from guardship.storage.database import Database

_LOOK_SECONDS = 0.5
_STATUS = {Fault.NOT_FOUND: 404, Fault.BAD_INPUT: 400, Fault.FORBIDDEN: 403, Fault.CONFLICT: 409}


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
        machine = request.segments["machine"]
        while True:
            try:
                return await asyncio.to_thread(self._act, request, context, machine)
            except WriteHeld as held:
                await self._await_answer(held, context)
            except ArmError as error:
                raise CallFailed("ArmError", str(error), may_retry=error.fault is Fault.UNAVAILABLE) from error
            except GuardshipError as error:
                return ConnectorResponse(_STATUS.get(error.fault, 500), body={"error": {"code": error.code, "message": str(error)}})

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        """Whether an isolation was opened, or a release was done, before the process died."""
        if request.operation == "verify":
            return None
        machine = await asyncio.to_thread(self._clouds.only().provider.machine, request.segments["machine"])
        with self._database.reading() as session:
            opened = isolations.open_isolation(session, machine.machine_id)
        if request.operation == "isolate":
            return None if opened is None or opened.run_id != context.run_id else _answer(opened)
        return ConnectorResponse(200, body={"machine": machine.name, "state": "released"}) if opened is None else None

    def _act(self, request: ConnectorRequest, context: CallContext, machine: str) -> ConnectorResponse:
        cloud = self._clouds.only()
        actor = Actor(
            ActorKind.PLAYBOOK,
            context.playbook_name,
            run_id=context.run_id,
            incident_id=context.incident_id,
            reason=str(_reason(request.body) or f"run {context.run_number}"),
        )
        if request.operation == "isolate":
            isolation_id = cloud.isolator.isolate(machine, actor=actor, idempotency_key=context.idempotency_key)
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

    async def _await_answer(self, held: WriteHeld, context: CallContext) -> None:
        while self._clock.now() < context.deadline:
            with self._database.reading() as session:
                approval = approvals.get(session, held.approval_id)
            if approval.answer == Answer.APPROVED:
                return
            if approval.answer != Answer.WAITING or approval.expires_at <= self._clock.now():
                raise CallFailed("NotApproved", f"{approval.title}: {approval.answer} {approval.answered_by or ''}".strip()) from held
            await asyncio.sleep(_LOOK_SECONDS)
        raise CallFailed("NotApproved", "nobody approved in time") from held


def _reason(body: Any) -> str | None:
    return body.get("reason") if isinstance(body, dict) else None


def _answer(isolation: Isolation) -> ConnectorResponse:
    names = ("isolation_id", "number", "machine_name", "state", "new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")
    return ConnectorResponse(200, body={name: getattr(isolation, name) for name in names})
