"""Runbooks with their draft and versions, and the assets that they use."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guardship.api.access import Admin, DoorsHere, Reader, who
from guardship.api.problems import Problem, problem_of
from guardship.automation import assets, runbooks
from guardship.automation.assets import Asset, AssetKind
from guardship.automation.parameters import ScriptError
from guardship.automation.runbooks import Runbook, RunbookKind
from guardship.identity import audit

router = APIRouter(tags=["automation"])


class ParameterOut(BaseModel):
    name: str
    kind: str
    is_mandatory: bool
    position: int
    default: Any
    help: str
    choices: list[str]


class RunbookOut(BaseModel):
    name: str
    kind: RunbookKind
    state: str
    published_version: int | None
    has_network: bool
    draft_changed_at: datetime
    parameters: list[ParameterOut]


class RunbookDetail(RunbookOut):
    """`draft_problem` is what keeps the draft from being published."""

    draft: str | None
    draft_problem: Problem | None
    script: str | None
    versions: list["VersionOut"]


class VersionOut(BaseModel):
    number: int
    published_at: datetime
    published_by: str


class DraftIn(BaseModel):
    script: str = Field(max_length=2_000_000)
    kind: RunbookKind = RunbookKind.PYTHON


class NetworkIn(BaseModel):
    has_network: bool


class AssetOut(BaseModel):
    kind: AssetKind
    name: str
    fields: dict[str, Any]
    is_sealed: bool
    changed_at: datetime
    changed_by: str


class AssetIn(BaseModel):
    """`secrets` never comes back; leave it out to keep what is sealed."""

    fields: dict[str, Any] = {}
    secrets: dict[str, Any] | None = None


@router.get("/runbooks")
def list_runbooks(doors: DoorsHere, caller: Reader) -> list[RunbookOut]:
    with doors.database.reading() as session:
        return [RunbookOut(**_facts(row, _parameters(session, row))) for row in runbooks.runbooks(session)]


@router.get("/runbooks/{name}")
def get_runbook(name: str, doors: DoorsHere, caller: Reader) -> RunbookDetail:
    with doors.database.reading() as session:
        row = runbooks.runbook_named(session, name)
        versions = runbooks.versions(session, row)
        script = next((version.script for version in versions if version.number == row.published_version), None)
        return RunbookDetail(
            **_facts(row, _parameters(session, row)),
            draft=row.draft,
            draft_problem=_draft_problem(row),
            script=script,
            versions=[VersionOut(number=v.number, published_at=v.published_at, published_by=v.published_by) for v in versions],
        )


@router.put("/runbooks/{name}/draft")
def save_draft(name: str, body: DraftIn, doors: DoorsHere, caller: Admin) -> RunbookOut:
    """Keep the draft, broken or not."""
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = runbooks.save_draft(session, name, body.script, kind=body.kind, at=at)
        audit.record(session, who=who(caller), act="runbook.draft_saved", subject=name, at=at)
        return RunbookOut(**_facts(row, _parameters(session, row)))


@router.post("/runbooks/{name}/publish")
def publish(name: str, doors: DoorsHere, caller: Admin) -> RunbookOut:
    """Make the draft the version that jobs run."""
    at = doors.clock.now()
    with doors.database.transaction() as session:
        version = runbooks.publish(session, name, by=who(caller), at=at)
        audit.record(session, who=who(caller), act="runbook.published", subject=name, at=at, detail={"version": version.number})
        row = runbooks.runbook_named(session, name)
        return RunbookOut(**_facts(row, _parameters(session, row)))


@router.put("/runbooks/{name}/network")
def grant_network(name: str, body: NetworkIn, doors: DoorsHere, caller: Admin) -> RunbookOut:
    """Whether jobs of this runbook may use the network; without it they have the job socket only."""
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = runbooks.runbook_named(session, name)
        row.has_network = body.has_network
        audit.record(session, who=who(caller), act="runbook.network", subject=name, at=at, detail=body.model_dump())
        return RunbookOut(**_facts(row, _parameters(session, row)))


@router.get("/assets")
def list_assets(doors: DoorsHere, caller: Reader) -> list[AssetOut]:
    with doors.database.reading() as session:
        return [_asset(row) for row in assets.assets(session)]


@router.put("/assets/{kind}/{name}")
def put_asset(kind: AssetKind, name: str, body: AssetIn, doors: DoorsHere, caller: Admin) -> AssetOut:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        row = assets.put_asset(session, kind, name, fields=body.fields, secrets=body.secrets, vault=doors.vault, by=who(caller), at=at)
        audit.record(session, who=who(caller), act="asset.changed", subject=f"{kind} {name}", at=at)
        return _asset(row)


@router.delete("/assets/{kind}/{name}", status_code=204)
def remove_asset(kind: AssetKind, name: str, doors: DoorsHere, caller: Admin) -> None:
    at = doors.clock.now()
    with doors.database.transaction() as session:
        assets.remove_asset(session, kind, name)
        audit.record(session, who=who(caller), act="asset.removed", subject=f"{kind} {name}", at=at)


def _facts(row: Runbook, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "published_version": row.published_version,
        "has_network": row.has_network,
        "draft_changed_at": row.draft_changed_at,
        "parameters": parameters,
    }


def _parameters(session: Any, row: Runbook) -> list[dict[str, Any]]:
    if row.published_version is None:
        return []
    return runbooks.version_of(session, row, row.published_version).parameters


def _draft_problem(row: Runbook) -> Problem | None:
    if row.draft is None:
        return None
    try:
        runbooks.parameters_of(RunbookKind(row.kind), row.draft)
    except ScriptError as error:
        return problem_of(error)
    return None


def _asset(row: Asset) -> AssetOut:
    return AssetOut(
        kind=AssetKind(row.kind),
        name=row.name,
        fields=row.fields,
        is_sealed=row.sealed is not None,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )
