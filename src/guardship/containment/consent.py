"""When a write waits for a person: one question for the whole write, however many machines it would cut.

A protected machine waits, and every write that would bring the machines isolated in the past hour above the cap. Machines that are
isolated already do not count again.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardship.cloud.arm import NetworkWrite
from guardship.containment import guardrails, isolations
from guardship.containment.guardrails import Policy
from guardship.errors import Fault, GuardshipError
from guardship.identity import approvals
from guardship.identity.approvals import Approval

APPROVAL_KIND = "containment.isolate"
_NAMES_TOLD = 10


class WriteHeld(GuardshipError):
    """The write waits for a person; `approval_id` says where."""

    code = "containment.held"
    fault = Fault.CONFLICT

    def __init__(self, approval_id: str, text: str) -> None:
        super().__init__(f"{text}: a person has to approve", hint=f"approval {approval_id} waits under Admin, Approvals")
        self.approval_id = approval_id


def approval_needed(
    session: Session,
    write: NetworkWrite,
    machines: Mapping[str, dict[str, Any]],
    *,
    machine_count: int,
    policy: Policy,
    by: str,
    at: datetime,
) -> tuple[Approval, str] | None:
    """The approval that this write waits for with the reason, or None when it may go. `machines` are those it cuts, by id."""
    new = {key: body for key, body in machines.items() if isolations.open_isolation(session, key) is None}
    if not new:
        return None
    tags = {str(body.get("name") or key.rpartition("/")[2]): body.get("tags") or {} for key, body in new.items()}
    concern = guardrails.concern_about(session, set(new), tags, machine_count=machine_count, policy=policy, at=at)
    subject = _subject(new)
    if concern is None or approvals.use(session, kind=APPROVAL_KIND, subject=subject, at=at) is not None:
        return None
    names = _told(sorted(tags))
    approval = approvals.ask(
        session,
        kind=APPROVAL_KIND,
        subject=subject,
        title=f"Isolate {names}: {concern.text}",
        detail={
            "write_id": write.write_id,
            "machine": names,
            "concern": concern.code,
            "incident_id": write.actor.incident_id,
            "reason": write.actor.reason,
        },
        by=by,
        person=write.actor.person,
        at=at,
    )
    return approval, concern.text


def _subject(machines: Mapping[str, Any]) -> str:
    if len(machines) == 1:
        return next(iter(machines))
    return "write:" + hashlib.sha256("\n".join(sorted(machines)).encode()).hexdigest()


def _told(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_TOLD])
    return shown if len(names) <= _NAMES_TOLD else f"{shown} and {len(names) - _NAMES_TOLD} more"
