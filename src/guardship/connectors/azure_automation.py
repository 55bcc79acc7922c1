"""Azure Automation: create a job of a runbook, look at it, read its output.

The job's name is a GUID made from the run and the action, so that after a crash the same job is found, not a second one made.
Create job: `PUT …/automationAccounts/{account}/jobs?runbookName=IsolateVM&wait=true` with
`{"properties": {"parameters": {"VMName": "web-1"}, "runOn": ""}}` answers `{"properties": {"jobId": "…", "status": "Completed"}}`.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from guardship.errors import Fault, GuardshipError, NotFound
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)

_JOBS = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Automation/automationAccounts/{account}/jobs"
ENDED = ("Completed", "Failed", "Stopped", "Suspended")
LEAST_WAIT_SECONDS = 1.0


class Job(Protocol):
    @property
    def job_id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def exception(self) -> str | None: ...


class Jobs(Protocol):
    """Jobs by their name; `create` with a known name gives the job that is there."""

    def create(
        self,
        name: str,
        runbook: str,
        parameters: dict[str, object],
        *,
        run_on: str = "",
        actor: str,
        run_id: str | None,
        person: str | None,
    ) -> Job: ...

    def get(self, name: str) -> Job: ...

    async def ended(self, name: str, timeout: float) -> Job: ...

    def output(self, name: str) -> str: ...


class AzureAutomation:
    name = "azureautomation"
    title = "Azure Automation"
    operations = (
        Operation("create_job", "PUT", _JOBS, Recovery.PROBE, summary="Create job"),
        Operation("get_job", "GET", f"{_JOBS}/{{job}}", Recovery.RETRY, has_effect=False, timeout_seconds=120, summary="Get status of job"),
        Operation(
            "get_output", "GET", f"{_JOBS}/{{job}}/output", Recovery.RETRY, has_effect=False, timeout_seconds=120, summary="Get job output"
        ),
    )
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        try:
            match request.operation:
                case "create_job":
                    return await self._create(request, context)
                case "get_job":
                    job = await asyncio.to_thread(self._jobs.get, request.segments["job"])
                    return ConnectorResponse(200, {"Content-Type": "application/json"}, _described(request, job, request.segments["job"]))
                case _:
                    output = await asyncio.to_thread(self._jobs.output, request.segments["job"])
                    return ConnectorResponse(200, {"Content-Type": "text/plain"}, output)
        except NotFound as error:
            return _refused(404, "NotFound", error)
        except CallFailed:
            raise
        except GuardshipError as error:
            _raise_if_away(error)
            return _refused(400, error.code, error)

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        """Was the job created before the process ended? It is, under its name; then wait for it as `call` would."""
        try:
            job = await asyncio.to_thread(self._jobs.get, context.guid)
        except NotFound:
            return None
        except GuardshipError as error:
            _raise_if_away(error)
            raise
        return _told(request, await self._awaited(request, job, context), context.guid)

    async def _create(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        runbook = _text(request.queries, "runbookName")
        if not runbook:
            raise CallFailed("MissingRunbookName", "Create job needs the query runbookName")
        properties = request.body.get("properties", {}) if isinstance(request.body, dict) else {}
        parameters = properties.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise CallFailed("InvalidParameters", "the parameters of a job are an object of name and value")
        job = await asyncio.to_thread(
            self._jobs.create,
            context.guid,
            runbook,
            dict(parameters),
            run_on=str(properties.get("runOn") or ""),
            actor=context.actor,
            run_id=context.run_id,
            person=context.person,
        )
        return _told(request, await self._awaited(request, job, context), context.guid)

    async def _awaited(self, request: ConnectorRequest, job: Job, context: CallContext) -> Job:
        if _text(request.queries, "wait").lower() != "true" or job.status in ENDED:
            return job
        left = (context.deadline - datetime.now(UTC)).total_seconds()
        return await self._jobs.ended(context.guid, max(left, LEAST_WAIT_SECONDS))


def _raise_if_away(error: GuardshipError) -> None:
    """What is away comes back: the action's retry policy applies, and the same call again finds the same job."""
    if error.fault is Fault.UNAVAILABLE:
        raise CallFailed(error.code, str(error), may_retry=True) from error


def _text(values: Mapping[str, Any], name: str) -> str:
    found = next((value for key, value in values.items() if key.lower() == name.lower()), "")
    return found if isinstance(found, str) else str(found)


def _described(request: ConnectorRequest, job: Job, name: str) -> dict[str, Any]:
    segments = request.segments
    path = f"/subscriptions/{segments['subscription']}/resourceGroups/{segments['group']}/providers/Microsoft.Automation"
    return {
        "id": f"{path}/automationAccounts/{segments['account']}/jobs/{name}",
        "name": name,
        "type": "Microsoft.Automation/AutomationAccounts/Jobs",
        "properties": {
            "jobId": job.job_id,
            "status": str(job.status),
            "provisioningState": "Succeeded" if job.status in ENDED else "Processing",
            "exception": job.exception or None,
            "runbook": {"name": _text(request.queries, "runbookName")},
        },
    }


def _told(request: ConnectorRequest, job: Job, name: str) -> ConnectorResponse:
    """An action that waited for a job which then failed has not succeeded."""
    body = _described(request, job, name)
    headers = {"Content-Type": "application/json"}
    if job.status in ENDED and job.status != "Completed":
        reason = f"the job ended {job.status}" + (f": {job.exception}" if job.exception else "")
        return ConnectorResponse(424, headers, {**body, "error": {"code": f"Job{job.status}", "message": reason}})
    return ConnectorResponse(201, headers, body)


def _refused(status: int, code: str, error: GuardshipError) -> ConnectorResponse:
    return ConnectorResponse(status, {"Content-Type": "application/json"}, {"error": {"code": code, "message": str(error)}})
