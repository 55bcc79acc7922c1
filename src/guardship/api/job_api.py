"""The jobs' own door: HTTP over one unix socket, one token a job. Assets, streams, and ARM with the token of a connection asset.

The token names the job; what it asks of ARM leaves through the gate with the job as actor, to the hosts of its connection only, and
is audited, done or not. Nothing here tells a job a secret of a connection. A write that is held for a person fails the job with the approval's
name, so that no slot is blocked; once it is approved, containment carries the write out by itself.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from guardship.api import problems
from guardship.api.access import DoorsHere
from guardship.api.bodies import bounded
from guardship.api.doors import Doors
from guardship.automation import assets
from guardship.automation.assets import AssetKind
from guardship.automation.jobs import StreamKind
from guardship.automation.workers import RunningJob
from guardship.cloud.arm import Actor, ActorKind, ArmResponse
from guardship.containment.clouds import CloudAccess
from guardship.errors import Fault, GuardshipError
from guardship.identity import audit

_KINDS = {f"{kind}s": kind for kind in AssetKind}
_LONG_RUNNING = {200, 201, 202}
_WITHOUT_BODY = {204, 304}

MOST_BODY_BYTES = 8 * 1024 * 1024
_LESS = "send it in parts"

IncidentOf = Callable[[str | None], str | None]
"""The incident of a run, for the actor of what its jobs do; given by `server.py`."""


class UnknownJob(GuardshipError):
    code = "job_api.unknown_job"
    fault = Fault.NOT_SIGNED_IN

    def __init__(self) -> None:
        super().__init__("this token belongs to no running job")


class HostNotAllowed(GuardshipError):
    code = "job_api.host_not_allowed"
    fault = Fault.FORBIDDEN


class StreamIn(BaseModel):
    stream: StreamKind
    text: str


class VariableIn(BaseModel):
    value: Any


router = APIRouter()


class BadBody(GuardshipError):
    code = "jobs.bad_body"
    fault = Fault.BAD_INPUT


def create_app(doors: Doors, incident_of: IncidentOf) -> FastAPI:
    app = FastAPI(title="Guardship job API", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.doors = doors
    app.state.incident_of = incident_of
    problems.install(app)
    app.include_router(router)
    return app


def job_of(doors: DoorsHere, authorization: Annotated[str, Header()] = "") -> RunningJob:
    """The job that asks; raises UnknownJob."""
    job = doors.jobs.running_job(authorization.removeprefix("Bearer "))
    if job is None:
        raise UnknownJob
    return job


AsJob = Annotated[RunningJob, Depends(job_of)]


@router.get("/assets/{kinds}/{name}")
def get_asset(kinds: str, name: str, doors: DoorsHere, job: AsJob) -> dict[str, Any]:
    kind = _kind(kinds)
    with doors.database.transaction() as session:
        found = assets.for_job(session, kind, name, doors.vault)
        audit.record(session, who=f"job {job.name}", act="asset.read", subject=f"{kind} {name}", at=doors.clock.now())
    return found


@router.put("/assets/variables/{name}", status_code=204)
def set_variable(name: str, body: VariableIn, doors: DoorsHere, job: AsJob) -> None:
    """Only variables that are there can be set; a sealed one stays sealed."""
    value, by, at = {"value": body.value}, f"job {job.name}", doors.clock.now()
    with doors.database.transaction() as session:
        is_sealed = assets.asset(session, AssetKind.VARIABLE, name).sealed is not None
        fields, secrets = ({}, value) if is_sealed else (value, None)
        assets.put_asset(session, AssetKind.VARIABLE, name, fields=fields, secrets=secrets, vault=doors.vault, by=by, at=at)
        audit.record(session, who=by, act="asset.changed", subject=f"variable {name}", at=at)


@router.post("/streams", status_code=204)
async def write_stream(request: Request, doors: DoorsHere, job: AsJob) -> None:
    try:
        body = StreamIn.model_validate_json(await bounded(request, MOST_BODY_BYTES, hint=_LESS))
    except ValidationError as error:
        raise BadBody(f"the body is no line of a stream: {error.errors()[0]['msg']}") from error
    await asyncio.to_thread(doors.jobs.write_stream, job, body.stream, body.text)


@router.api_route("/arm/{path:path}", methods=["GET", "PUT", "PATCH", "POST", "DELETE"])
async def arm(path: str, request: Request, doors: DoorsHere, job: AsJob) -> Response:
    start = path if "://" in path else f"/{path}"
    target = start + (f"?{request.url.query}" if request.url.query else "")
    cloud = await asyncio.to_thread(_cloud_for, doors, request, target, job)
    body = _json_of(await bounded(request, MOST_BODY_BYTES, hint=_LESS))
    incident_of: IncidentOf = request.app.state.incident_of
    incident_id = incident_of(job.run_id)
    actor = Actor(ActorKind.JOB, job.runbook, run_id=job.run_id, job_id=job.job_id, incident_id=incident_id, person=job.person)
    response = await asyncio.to_thread(_send, doors, cloud, request.method, target, body, request.headers.get("If-Match"), actor)
    if response.status in _WITHOUT_BODY:
        return Response(status_code=response.status)
    return JSONResponse(response.body, status_code=response.status)


def _json_of(content: bytes) -> Any:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: {error}") from error


def _cloud_for(doors: Doors, request: Request, target: str, job: RunningJob) -> CloudAccess:
    """The cloud of the connection that the job names, if it may reach the target; raises HostNotAllowed, AssetNotFound."""
    try:
        cloud = _cloud_of(doors, request.headers.get("X-Connection", ""))
        _demand_host(cloud, target)
    except GuardshipError as error:
        _record(doors, job.runbook, "arm.refused", target, _why(error) | {"method": request.method, "run_id": job.run_id})
        raise
    return cloud


def _send(doors: Doors, cloud: CloudAccess, method: str, target: str, body: Any, etag: str | None, actor: Actor) -> ArmResponse:
    facts = {"method": method, "run_id": actor.run_id}
    try:
        response = cloud.arm.call(method, target, actor=actor, body=body, etag=etag)
    except GuardshipError as error:
        if method != "GET":
            _record(doors, actor.name, "arm.held" if hasattr(error, "approval_id") else "arm.refused", target, facts | _why(error))
        raise
    if method != "GET":
        _record(doors, actor.name, "arm.call", target, facts | {"status": response.status})
    if method in ("PUT", "PATCH", "DELETE") and response.status in _LONG_RUNNING:
        return ArmResponse(status=200, headers=response.headers, body=cloud.arm.wait(response))
    return response


def _record(doors: Doors, runbook: str, act: str, target: str, detail: dict[str, Any]) -> None:
    with doors.database.transaction() as session:
        audit.record(session, who=f"job {runbook}", act=act, subject=target[:300], at=doors.clock.now(), detail=detail)


def _why(error: GuardshipError) -> dict[str, Any]:
    approval_id = getattr(error, "approval_id", None)
    return {"code": error.code, "why": error.message} | ({"approval_id": approval_id} if approval_id else {})


def _cloud_of(doors: Doors, connection: str) -> CloudAccess:
    with doors.database.reading() as session:
        fields = assets.asset(session, AssetKind.CONNECTION, connection).fields
    subscription = str(fields.get("SubscriptionId", "")).lower()
    found = next((each for each in doors.clouds.by_name.values() if each.subscription_id.lower() == subscription), None)
    if found is None:
        raise HostNotAllowed(
            f"connection {connection} names the subscription {subscription or '(none)'}, to which no account is connected",
            hint="connect the cloud account first",
        )
    return found


def _demand_host(cloud: CloudAccess, target: str) -> None:
    """A path of the connection's cloud, or a full address of one of its hosts."""
    if "://" not in target:
        return
    host = target.partition("://")[2].partition("/")[0].lower()
    if host not in cloud.hosts:
        raise HostNotAllowed(f"a job's connection reaches {', '.join(cloud.hosts)} only, not {host}")


def _kind(kinds: str) -> AssetKind:
    if kinds not in _KINDS:
        raise assets.AssetNotFound(AssetKind.VARIABLE, kinds)
    return _KINDS[kinds]
