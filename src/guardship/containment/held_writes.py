"""Writes that waited for a person: carried out once the answer is yes, with what was asked put on what is there by then.

The yes is for the machine, so a group that was asked for one of its interfaces goes to all of them. Whoever asked may be waiting and
try again: the ledger answers them from the isolation that this opened.
"""

from collections.abc import Callable
from typing import Any

from guardship.cloud.arm import Actor, ActorKind, ArmClient, WriteKind, check_response
from guardship.containment.consent import APPROVAL_KIND
from guardship.containment.isolations import WriteRow, WriteState
from guardship.containment.surroundings import Surroundings, id_in
from guardship.errors import GuardshipError
from guardship.identity import audit
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.telemetry import get_log

log = get_log("held_writes")

ClientFor = Callable[[str], ArmClient]
"""The ARM client that reaches a resource id; given by `server.py`."""


class HeldWrites:
    def __init__(self, database: Database, client_for: ClientFor) -> None:
        self._database = database
        self._client_for = client_for

    def on_answer(self, event: outbox.Event) -> None:
        payload = event.payload
        if payload["kind"] != APPROVAL_KIND:
            return
        write_id = payload["detail"]["write_id"]
        with self._database.transaction() as session:
            row = session.get(WriteRow, write_id)
            if row is None or row.state != WriteState.HELD:
                return
            if payload["answer"] != "approved":
                row.state, row.problem = WriteState.FAILED, f"refused by {payload['by']}"
                return
        problem = None
        try:
            self._carry_out(row)
        except GuardshipError as error:
            problem = str(error)
            log.warning("held_write.failed", write_id=write_id, reason=problem)
        with self._database.transaction() as session:
            kept = session.get_one(WriteRow, write_id)
            kept.state, kept.problem = (WriteState.DONE, None) if problem is None else (WriteState.FAILED, problem)
            if problem is not None:
                detail = {"write_id": write_id, "problem": problem}
                audit.record(
                    session,
                    who=payload["by"],
                    act="containment.approved_write_failed",
                    subject=row.resource_id,
                    at=event.written_at,
                    detail=detail,
                )

    def _carry_out(self, row: WriteRow) -> None:
        """Raises what ARM or the ledger says against it."""
        arm = self._client_for(row.resource_id)
        if row.kind != WriteKind.INTERFACE or row.body is None:
            self._send(arm, row, row.resource_id, row.body, None)
            return
        asked = arm.get(row.resource_id)
        self._send(arm, row, row.resource_id, _asked_on(asked, row.body), asked.get("etag"))
        group = (row.body.get("properties") or {}).get("networkSecurityGroup")
        machine_id = id_in((asked.get("properties") or {}).get("virtualMachine"))
        for other in Surroundings(arm).interfaces_of(machine_id) if machine_id and group else ():
            if str(other["id"]).lower() != row.resource_id.lower():
                self._send(arm, row, str(other["id"]), _with_group(other, group), other.get("etag"))

    def _send(self, arm: ArmClient, row: WriteRow, resource_id: str, body: Any, etag: str | None) -> None:
        actor = Actor(**(row.actor | {"kind": ActorKind(row.actor["kind"])}))
        response = arm.call(
            row.method, resource_id, actor=actor, body=body, etag=etag, api_version=row.api_version, idempotency_key=row.idempotency_key
        )
        log.info("held_write.carried_out", write_id=row.write_id, resource=resource_id, status=response.status)
        arm.wait(check_response(response))


def _with_group(interface: dict[str, Any], group: Any) -> dict[str, Any]:
    return {**interface, "properties": {**interface["properties"], "networkSecurityGroup": group}}


def _asked_on(now: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The interface as it is, with the group and the subnets that were asked for."""
    properties = dict(now["properties"])
    wanted = asked.get("properties") or {}
    properties["networkSecurityGroup"] = wanted.get("networkSecurityGroup")
    if wanted.get("ipConfigurations"):
        properties["ipConfigurations"] = wanted["ipConfigurations"]
    return {**now, "properties": properties}
