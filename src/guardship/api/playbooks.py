"""Playbooks: import, check, publish, versions, connections. Publishing arms nothing."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guardship.api.access import Admin, DoorsHere, Reader, Responder, who
from guardship.api.doors import Doors
from guardship.identity import audit
from guardship.identity.roles import Role, includes
from guardship.identity.sessions import Caller
from guardship.playbooks.library import Draft, Playbook
from guardship.playbooks.triggering import RequestCall

router = APIRouter(tags=["playbooks"])


class ProblemOut(BaseModel):
    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str | None


class PlaybookTriggerOut(BaseModel):
    """`is_on` matters for what starts by itself: a schedule, what is asked again and again, a subscription, a batch."""

    name: str
    kind: str
    starts_by_itself: bool
    is_on: bool
    due_at: datetime | None = None
    last_fired_at: datetime | None = None
    missed_count: int = 0
    missed_at: datetime | None = None
    problem: str | None = None


class PlaybookOut(BaseModel):
    playbook_id: str
    name: str
    state: str
    current_version_id: str | None
    problems: list[ProblemOut]
    ignored: list[str]
    created_at: datetime
    changed_at: datetime
    changed_by: str
    starts_from_alerts: bool
    triggers: list[PlaybookTriggerOut] = Field(description="Of the published version.")
    callback_urls: dict[str, str] = Field(description="Signed addresses: whoever knows one starts runs, so readers are given none.")


class VersionOut(BaseModel):
    version_id: str
    number: int
    published_at: datetime
    published_by: str


class PlaybookDetail(PlaybookOut):
    source: str
    definition: dict[str, Any] | None
    versions: list[VersionOut]


class ImportIn(BaseModel):
    """`document` is an ARM template or a bare definition, as text: comments and a byte order mark are fine."""

    name: str = Field("", max_length=120)
    document: str = Field(max_length=20_000_000)
    parameters: dict[str, Any] = {}


class DraftIn(BaseModel):
    """`seen_at` is `changed_at` of the playbook as it was read: when it was changed since, nothing is kept."""

    document: str = Field(max_length=20_000_000)
    parameters: dict[str, Any] = {}
    seen_at: datetime | None = None


class DraftOut(BaseModel):
    playbook_id: str
    name: str
    changed_at: datetime
    is_publishable: bool
    problems: list[ProblemOut]
    ignored: list[str]
    connectors: list[str]


class FireIn(BaseModel):
    trigger: str | None = None
    body: Any = None


class FiredOut(BaseModel):
    run_ids: list[str]


class OperationOut(BaseModel):
    name: str
    method: str
    path: str
    recovery: str
    summary: str


class ConnectorOut(BaseModel):
    name: str
    title: str
    has_connection: bool
    operations: list[OperationOut]


class ConnectionIn(BaseModel):
    parameters: dict[str, Any]
    display_name: str = ""


@router.get("/playbooks")
def list_playbooks(doors: DoorsHere, caller: Reader) -> list[PlaybookOut]:
    return [PlaybookOut(**_facts(row, doors, caller)) for row in doors.library.all()]


@router.post("/playbooks", status_code=201)
def import_playbooks(body: ImportIn, doors: DoorsHere, caller: Admin) -> list[DraftOut]:
    """Keep each playbook of a document as a draft, with what is wrong and where; a text that cannot be read is kept too."""
    drafts = doors.library.import_definition(body.name, body.document, by=who(caller), parameters=body.parameters)
    with doors.database.transaction() as session:
        for draft in drafts:
            audit.record(session, who=who(caller), act="playbook.imported", subject=draft.name, at=doors.clock.now())
    return [_draft(draft) for draft in drafts]


@router.get("/playbooks/{playbook_id}")
def get_playbook(playbook_id: str, doors: DoorsHere, caller: Reader) -> PlaybookDetail:
    row = doors.library.get(playbook_id)
    versions = [VersionOut.model_validate(version, from_attributes=True) for version in doors.library.versions(playbook_id)]
    return PlaybookDetail(**_facts(row, doors, caller), source=row.source, definition=row.definition, versions=versions)


@router.put("/playbooks/{playbook_id}/draft")
def change_draft(playbook_id: str, body: DraftIn, doors: DoorsHere, caller: Admin) -> DraftOut:
    """Keep a new text as the draft, broken or not; what is published stays in force until the draft is."""
    by = who(caller)
    draft = doors.library.change_draft(playbook_id, body.document, by=by, parameters=body.parameters, seen_at=body.seen_at)
    _record(doors, by, "playbook.draft_saved", playbook_id)
    return _draft(draft)


@router.delete("/playbooks/{playbook_id}", status_code=204)
def delete_playbook(playbook_id: str, doors: DoorsHere, caller: Admin, seen_at: datetime | None = None) -> None:
    """Remove a draft that was never published and that no automation rule names."""
    row = doors.library.delete(playbook_id, seen_at=seen_at)
    _record(doors, who(caller), "playbook.deleted", playbook_id, {"name": row.name})


@router.post("/playbooks/{playbook_id}/publish")
def publish(playbook_id: str, doors: DoorsHere, caller: Admin) -> PlaybookOut:
    """Make the draft the version that new runs take. It starts from alerts only where an automation rule that is on says so."""
    version_id = doors.library.publish(playbook_id, by=who(caller))
    doors.standing.republished(playbook_id)
    _record(doors, who(caller), "playbook.published", playbook_id, {"version_id": version_id})
    return PlaybookOut(**_facts(doors.library.get(playbook_id), doors, caller))


@router.post("/playbooks/{playbook_id}/switch-on")
async def switch_on(playbook_id: str, doors: DoorsHere, caller: Admin) -> PlaybookOut:
    """From now on it starts by itself, as its triggers say. Publishing alone never does this."""
    await doors.standing.switch_on(playbook_id, by=who(caller))
    await asyncio.to_thread(_record, doors, who(caller), "playbook.switched_on", playbook_id)
    return PlaybookOut(**await asyncio.to_thread(lambda: _facts(doors.library.get(playbook_id), doors, caller)))


@router.post("/playbooks/{playbook_id}/switch-off")
async def switch_off(playbook_id: str, doors: DoorsHere, caller: Admin) -> PlaybookOut:
    """It does not start by itself any more; runs that are under way go on."""
    await doors.standing.switch_off(playbook_id, by=who(caller))
    await asyncio.to_thread(_record, doors, who(caller), "playbook.switched_off", playbook_id)
    return PlaybookOut(**await asyncio.to_thread(lambda: _facts(doors.library.get(playbook_id), doors, caller)))


@router.post("/playbooks/{playbook_id}/run", status_code=202)
async def run_now(playbook_id: str, body: FireIn, doors: DoorsHere, caller: Responder) -> FiredOut:
    """Start by hand, with this as the trigger's body."""
    call = RequestCall("POST", {}, {}, body.body)
    fired = await doors.triggering.fire_manually(playbook_id, body.trigger, call, by=who(caller), person=caller.person)
    await asyncio.to_thread(_record, doors, who(caller), "playbook.run", playbook_id)
    return FiredOut(run_ids=[accepted.run_id for accepted in fired.accepted])


@router.get("/connectors")
def list_connectors(doors: DoorsHere, caller: Reader) -> list[ConnectorOut]:
    known = {row.connector for row in doors.connections.all()}
    return [
        ConnectorOut(
            name=connector.name,
            title=connector.title,
            has_connection=connector.name.lower() in known,
            operations=[
                OperationOut(name=each.name, method=each.method, path=each.path, recovery=each.recovery, summary=each.summary)
                for each in connector.operations
            ],
        )
        for connector in doors.connectors.all()
    ]


@router.put("/connections/{connector}", status_code=204)
def put_connection(connector: str, body: ConnectionIn, doors: DoorsHere, caller: Admin) -> None:
    """Set a connector's parameters; they are kept sealed and never come back."""
    doors.connections.put(connector, body.parameters, by=who(caller), display_name=body.display_name)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="connection.changed", subject=connector, at=doors.clock.now())


def _record(doors: Doors, by: str, act: str, playbook_id: str, detail: dict[str, Any] | None = None) -> None:
    with doors.database.transaction() as session:
        audit.record(session, who=by, act=act, subject=playbook_id, at=doors.clock.now(), detail=detail)


def _draft(draft: Draft) -> DraftOut:
    return DraftOut(
        playbook_id=draft.playbook_id,
        name=draft.name,
        changed_at=draft.changed_at,
        is_publishable=draft.is_publishable,
        problems=[ProblemOut(**problem.as_json()) for problem in draft.problems],
        ignored=list(draft.ignored),
        connectors=list(draft.connectors),
    )


def _triggers(playbook_id: str, doors: Doors) -> list[PlaybookTriggerOut]:
    states = {state.trigger_name: state for state in doors.standing.states(playbook_id)}
    told = []
    for trigger in doors.library.published(playbook_id).workflow.triggers:
        one = PlaybookTriggerOut(name=trigger.name, kind=trigger.kind, starts_by_itself=trigger.starts_by_itself, is_on=False)
        state = states.get(trigger.name)
        if state is not None:
            names = ("is_on", "due_at", "last_fired_at", "missed_count", "missed_at", "problem")
            one = one.model_copy(update={name: getattr(state, name) for name in names})
        told.append(one)
    return told


def _facts(row: Playbook, doors: Doors, caller: Caller) -> dict[str, Any]:
    names = ("playbook_id", "name", "state", "current_version_id", "created_at", "changed_at", "changed_by", "ignored")
    is_published = row.current_version_id is not None
    triggers = doors.triggering.request_triggers(row.playbook_id) if is_published and includes(caller.role, Role.RESPONDER) else []
    return {name: getattr(row, name) for name in names} | {
        "problems": [ProblemOut(**problem) for problem in row.problems],
        "triggers": _triggers(row.playbook_id, doors) if is_published else [],
        "starts_from_alerts": is_published and doors.triggering.fits_alerts(row.playbook_id),
        "callback_urls": {name: doors.triggering.callback_url(row.playbook_id, name) for name in triggers},
    }
