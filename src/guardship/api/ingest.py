"""Rows in: a JSON array a call, plain or gzip, with a token that is bound to tables and to one machine's name."""

import asyncio
import gzip
import zlib
from datetime import datetime, timedelta
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from guardship.api.access import Admin, DoorsHere, who
from guardship.api.bodies import BodyTooLarge, bounded
from guardship.api.doors import Doors
from guardship.errors import Fault, GuardshipError
from guardship.identity import audit
from guardship.workspace.ingest import Ingested

router = APIRouter(tags=["ingest"])

MOST_BYTES = 32 * 1024 * 1024
_SMALLER = "send smaller batches"


class BadRows(GuardshipError):
    code = "ingest.bad_rows"
    fault = Fault.BAD_INPUT


class RejectedOut(BaseModel):
    row: int
    column: str
    reason: str


class IngestedOut(BaseModel):
    """Rows that were refused are named; all others are kept."""

    accepted: int
    rejected: list[RejectedOut]
    ignored_columns: list[str]


class IngestTokenIn(BaseModel):
    name: str = Field(max_length=200)
    tables: list[str] = Field(min_length=1)
    machine: str | None = Field(None, description="The only machine whose rows this token brings; it is filled in where rows leave it out.")
    days: int | None = Field(None, ge=1, le=3650)


class IngestTokenOut(BaseModel):
    token_id: str
    name: str
    tables: list[str]
    machine: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class IssuedOut(BaseModel):
    """`token` is shown this once."""

    token_id: str
    token: str


@router.post("/ingest/{table}")
async def ingest(table: str, request: Request, doors: DoorsHere) -> IngestedOut:
    """Take rows in; answers once they are committed."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    machine = await asyncio.to_thread(doors.ingest_tokens.check, token, table)  # first: nobody else's body is read
    content = await _content(request)
    done = await asyncio.to_thread(_take, doors, table, machine, content)
    return IngestedOut(
        accepted=done.accepted,
        rejected=[RejectedOut(row=each.row, column=each.column, reason=each.reason) for each in done.rejected],
        ignored_columns=list(done.ignored_columns),
    )


@router.get("/ingest-tokens")
def list_tokens(doors: DoorsHere, caller: Admin) -> list[IngestTokenOut]:
    return [IngestTokenOut.model_validate(row, from_attributes=True) for row in doors.ingest_tokens.all()]


@router.post("/ingest-tokens", status_code=201)
def issue_token(body: IngestTokenIn, doors: DoorsHere, caller: Admin) -> IssuedOut:
    at = doors.clock.now()
    ends = at + timedelta(days=body.days) if body.days else None
    issued = doors.ingest_tokens.issue(body.name, tables=body.tables, machine=body.machine, expires_at=ends)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="ingest_token.created", subject=body.name, at=at, detail={"machine": body.machine})
    return IssuedOut(token_id=issued.token_id, token=issued.token)


@router.delete("/ingest-tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, doors: DoorsHere, caller: Admin) -> None:
    doors.ingest_tokens.revoke(token_id)
    with doors.database.transaction() as session:
        audit.record(session, who=who(caller), act="ingest_token.revoked", subject=token_id, at=doors.clock.now())


def _take(doors: Doors, table: str, machine: str | None, content: bytes) -> Ingested:
    try:
        rows: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRows(f"the body is not JSON: {error}", hint="send an array of objects") from error
    if not isinstance(rows, list):
        raise BadRows("the body is not an array", hint="send an array of objects, one a row")
    return doors.ingest.ingest(table, rows, machine=machine)


async def _content(request: Request) -> bytes:
    """The body, unpacked where it is gzip, within bounds on both sides."""
    content = await bounded(request, MOST_BYTES, hint=_SMALLER)
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, MOST_BYTES + 1)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise BadRows(f"the body is not whole gzip: {error}") from error
    if len(unpacked) > MOST_BYTES:
        raise BodyTooLarge(MOST_BYTES, _SMALLER)
    return unpacked
