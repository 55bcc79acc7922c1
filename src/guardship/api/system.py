"""The server itself: health, the demo's button, what the outbox could not deliver, the logs' part of a backup."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from guardship.api.access import Admin, DoorsHere, Reader, Responder, who
from guardship.errors import Fault, GuardshipError
from guardship.identity import audit

router = APIRouter(tags=["system"])


class NoLab(GuardshipError):
    code = "system.no_lab"
    fault = Fault.CONFLICT

    def __init__(self) -> None:
        super().__init__("this server was started without a lab beside it", hint="start it with `guardship up`")


class HealthOut(BaseModel):
    version: str
    now: datetime
    parts: dict[str, str]
    clouds: list["CloudOut"]


class CloudOut(BaseModel):
    name: str
    is_lab: bool
    is_simulated: bool


class SetAsideOut(BaseModel):
    event_id: str
    subject: str
    kind: str
    payload: Any
    written_at: datetime
    tries: int
    error: str | None


class ExportIn(BaseModel):
    folder: str


@router.get("/health")
def health(doors: DoorsHere, caller: Reader) -> HealthOut:
    clouds = [CloudOut(name=each.name, is_lab=each.is_lab, is_simulated=each.is_simulated) for each in doors.clouds.by_name.values()]
    return HealthOut(version=doors.version, now=doors.clock.now(), parts=dict(doors.health()), clouds=clouds)


@router.post("/demo", status_code=202)
def start_demo(doors: DoorsHere, caller: Responder) -> dict[str, str]:
    """Have the command play the story in its lab."""
    if not doors.start_demo():
        raise NoLab
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="demo.started", subject="lab", at=doors.clock.now())
    return {"status": "asked"}


@router.get("/outbox/set-aside")
def set_aside(doors: DoorsHere, caller: Reader) -> list[SetAsideOut]:
    """Events that no handler took in eight tries; later events of their subjects wait behind them."""
    return [SetAsideOut.model_validate(row, from_attributes=True) for row in doors.outbox.set_aside()]


@router.post("/outbox/{event_id}/retry", status_code=204)
def retry(event_id: str, doors: DoorsHere, caller: Admin) -> None:
    doors.outbox.try_again(event_id)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="outbox.retried", subject=event_id, at=doors.clock.now())


@router.post("/maintenance/logs-export", status_code=204)
def export_logs(body: ExportIn, doors: DoorsHere, caller: Admin) -> None:
    """Copy the log store into a folder of this machine; for the command's backup, not for tokens."""
    if caller.user_id is not None or caller.token_id is not None:
        raise NotForPeople
    folder = Path(body.folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    doors.store.copy_to(folder / doors.store.path.name)


class NotForPeople(GuardshipError):
    code = "system.not_for_people"
    fault = Fault.FORBIDDEN

    def __init__(self) -> None:
        super().__init__("only the command on this machine may ask that", hint="run `guardship database backup`")
