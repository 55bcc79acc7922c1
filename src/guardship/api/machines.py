"""Machines of the connected clouds, with whether each is isolated."""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select

from guardship.api.access import DoorsHere, Reader
from guardship.containment.guardrails import is_protected
from guardship.containment.isolations import OPEN_STATES, Isolation

router = APIRouter(tags=["machines"])


class MachineOut(BaseModel):
    machine_id: str
    name: str
    account: str
    group: str
    location: str
    os: str
    is_protected: bool
    isolation_id: str | None


@router.get("/machines")
def list_machines(doors: DoorsHere, caller: Reader) -> list[MachineOut]:
    with doors.database.reading() as session:
        isolated = {row.machine_id: row.isolation_id for row in session.scalars(select(Isolation).where(Isolation.state.in_(OPEN_STATES)))}
    return [
        MachineOut(
            machine_id=machine.machine_id,
            name=machine.name,
            account=cloud.name,
            group=machine.group,
            location=machine.location,
            os=machine.os,
            is_protected=is_protected(machine.tags),
            isolation_id=isolated.get(machine.machine_id),
        )
        for cloud in doors.clouds.by_name.values()
        for machine in cloud.provider.machines()
    ]
