"""Jobs: start, watch, stop; output and streams."""

import uuid
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from guardship.api.access import DoorsHere, Reader, Responder, who
from guardship.automation.jobs import Job
from guardship.identity import audit

router = APIRouter(tags=["automation"])


class JobOut(BaseModel):
    job_id: str
    name: str
    runbook: str
    parameters: dict[str, Any]
    run_on: str
    status: str
    attempt: int
    exception: str | None
    walls: str | None
    limits_held: list[str]
    actor: str
    run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobIn(BaseModel):
    """The same `name` twice is the same job."""

    runbook: str
    parameters: dict[str, Any] = {}
    run_on: str = ""
    name: str | None = None


class StreamOut(BaseModel):
    stream_id: int
    attempt: int
    kind: str
    text: str
    at: datetime


@router.get("/jobs")
def list_jobs(doors: DoorsHere, caller: Reader, runbook: str | None = None, limit: int = Query(100, ge=1, le=1000)) -> list[JobOut]:
    return [_out(job) for job in doors.jobs.list(runbook=runbook, limit=limit)]


@router.post("/jobs", status_code=201)
def create_job(body: JobIn, doors: DoorsHere, caller: Responder) -> JobOut:
    name = body.name or str(uuid.uuid4())
    job = doors.jobs.create(name, body.runbook, body.parameters, run_on=body.run_on, actor=who(caller), person=caller.person)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="job.created", subject=job.name, at=doors.clock.now(), detail={"runbook": job.runbook})
    return _out(job)


@router.get("/jobs/{job}")
def get_job(job: str, doors: DoorsHere, caller: Reader) -> JobOut:
    return _out(doors.jobs.get(job))


@router.get("/jobs/{job}/streams")
def streams(job: str, doors: DoorsHere, caller: Reader, after: int = 0) -> list[StreamOut]:
    return [StreamOut.model_validate(line, from_attributes=True) for line in doors.jobs.streams(job, after=after)]


@router.post("/jobs/{job}/stop")
def stop_job(job: str, doors: DoorsHere, caller: Responder) -> JobOut:
    stopped = doors.jobs.ask_to_stop(job)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="job.stopped", subject=stopped.name, at=doors.clock.now())
    return _out(stopped)


def _out(job: Job) -> JobOut:
    return JobOut.model_validate(job, from_attributes=True)
