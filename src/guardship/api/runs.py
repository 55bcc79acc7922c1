"""Runs: the list, one with the path it took, inputs and outputs by link, cancel, and answers to what is unknown after a crash."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.api.doors import Doors
from guardship.identity import audit
from guardship.playbooks.run_rows import RunFilter

router = APIRouter(tags=["runs"])


class RunOut(BaseModel):
    run_id: str
    number: int
    playbook_id: str
    playbook_name: str
    version_id: str
    status: str
    code: str | None
    error: dict[str, Any] | None
    alert_id: str | None
    incident_id: str | None
    accepted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    milliseconds: float | None


class TriggerOut(BaseModel):
    name: str
    started_at: datetime
    by: str | None
    outputs: str


class ActionOut(BaseModel):
    """One action of the definition with what became of it; `status` is NotRun where the run has not come there."""

    key: str
    name: str
    type: str
    run_after: dict[str, list[str]]
    status: str
    operation: str | None = None
    code: str | None = None
    error: dict[str, Any] | None = None
    attempt: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    milliseconds: float | None = None
    inputs: str | None = Field(None, description="Link to the inputs.")
    outputs: str | None = Field(None, description="Link to the outputs.")
    branch: str | None = None
    why: Any = Field(None, description="Of a condition: the expression with the value of each part.")
    branches: list["BranchOut"] | None = None


class BranchOut(BaseModel):
    label: str
    is_taken: bool
    iteration: int | None = None
    iteration_count: int | None = None
    actions: list[ActionOut]


class RunDetail(RunOut):
    trigger: TriggerOut
    actions: list[ActionOut]


class RepetitionOut(BaseModel):
    index: int
    status: str
    action_count: int


class ReasonIn(BaseModel):
    reason: str = Field("", max_length=1000)


class DecisionIn(BaseModel):
    """What became of a call whose outcome is unknown after a crash."""

    key: str
    choice: Literal["done", "again", "failed"]


@router.get("/runs")
def list_runs(
    doors: DoorsHere,
    caller: Reader,
    playbook_id: str | None = None,
    alert_id: str | None = None,
    incident_id: str | None = None,
    status: str | None = None,
    before: int | None = None,
    limit: int = Query(50, ge=1, le=500),
) -> list[RunOut]:
    """Newest first; `before` pages on by number."""
    wanted = RunFilter(
        playbook_id=playbook_id, alert_id=alert_id, incident_id=incident_id, status=status, before_number=before, limit=limit
    )
    return [RunOut(**run) for run in doors.runs.overview(wanted)]


@router.get("/runs/{run_id}")
def get_run(run_id: str, doors: DoorsHere, caller: Reader) -> RunDetail:
    """The run with its tree of actions; of a loop the first pass, of an Until the last."""
    return RunDetail(**doors.runs.view(run_id))


@router.get("/runs/{run_id}/pass")
def get_pass(run_id: str, loop: str, index: int, doors: DoorsHere, caller: Reader) -> RunDetail:
    """The same with another pass of one loop shown."""
    return RunDetail(**doors.runs.view(run_id, iterations={loop: index}))


@router.get("/runs/{run_id}/repetitions")
def repetitions(run_id: str, loop: str, doors: DoorsHere, caller: Reader) -> list[RepetitionOut]:
    return [RepetitionOut(**each) for each in doors.runs.repetitions(run_id, loop)]


@router.get("/runs/{run_id}/payload")
def payload(run_id: str, doors: DoorsHere, caller: Reader, key: str = "", part: Literal["inputs", "outputs"] = "outputs") -> Any:
    """Inputs or outputs of an action; with no key the trigger's. What is hidden shows as `***`."""
    return doors.runs.payload(run_id, key, part)


@router.get("/runs/{run_id}/published")
def published(run_id: str, doors: DoorsHere, caller: Reader) -> dict[str, Any]:
    """The run in the shape of the published run API."""
    return doors.runs.published_run(run_id)


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(run_id: str, body: ReasonIn, doors: DoorsHere, caller: Responder) -> dict[str, bool]:
    is_new = doors.runner.messages.cancel(run_id, by=who(caller), reason=body.reason)
    _record(doors, who(caller), "run.cancelled", run_id, {"reason": body.reason})
    return {"is_new": is_new}


@router.post("/runs/{run_id}/decision", status_code=202)
def decide(run_id: str, body: DecisionIn, doors: DoorsHere, caller: Responder) -> dict[str, bool]:
    """Say what became of a call that nobody saw the end of."""
    is_first = doors.runner.messages.decide(run_id, body.key, body.choice, by=who(caller))
    _record(doors, who(caller), "run.decided", run_id, body.model_dump())
    return {"is_first": is_first}


def runs_of_incident(doors: Doors, incident_id: str) -> list[RunOut]:
    return [RunOut(**run) for run in doors.runs.overview(RunFilter(incident_id=incident_id))]


def _record(doors: Doors, by: str, act: str, run_id: str, detail: dict[str, Any]) -> None:
    with doors.database.transaction() as session:
        audit.record(session, who=by, act=act, subject=run_id, at=doors.clock.now(), detail=detail)
