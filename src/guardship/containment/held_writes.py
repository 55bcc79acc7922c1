"""Writes that waited for a person: carried out once the answer is yes, with what was asked put on what is there by then.

Whoever asked may be waiting and try again: the ledger answers them from the isolation that this opened.
"""

from collections.abc import Callable
from typing import Any

from guardship.cloud.arm import Actor, ActorKind, ArmClient, WriteKind
from guardship.containment.isolations import WriteRow, WriteState
from guardship.containment.ledger import APPROVAL_KIND
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
        with self._database.transaction() as session:
            row = session.get(WriteRow, payload["detail"]["write_id"])
            if row is None or row.state != WriteState.HELD:
                return
            if payload["answer"] != "approved":
                row.state, row.problem = WriteState.FAILED, f"refused by {payload['by']}"
                return
        self._carry_out(row)
        with self._database.transaction() as session:
            session.get_one(WriteRow, row.write_id).state = WriteState.DONE

    def _carry_out(self, row: WriteRow) -> None:
        arm = self._client_for(row.resource_id)
        actor = Actor(**(row.actor | {"kind": ActorKind(row.actor["kind"])}))
        body, etag = row.body, None
        if row.kind == WriteKind.INTERFACE and row.body is not None:
            now = arm.get(row.resource_id)
            body, etag = _asked_on(now, row.body), now.get("etag")
        response = arm.call(
            row.method,
            row.resource_id,
            actor=actor,
            body=body,
            etag=etag,
            api_version=row.api_version,
            idempotency_key=row.idempotency_key,
        )
        log.info("held_write.carried_out", write_id=row.write_id, status=response.status)
        if response.status in (200, 201, 202):
            arm.wait(response)


def _asked_on(now: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The interface as it is, with the group and the subnets that were asked for."""
    properties = dict(now["properties"])
    wanted = asked.get("properties") or {}
    properties["networkSecurityGroup"] = wanted.get("networkSecurityGroup")
    if wanted.get("ipConfigurations"):
        properties["ipConfigurations"] = wanted["ipConfigurations"]
    return {**now, "properties": properties}
