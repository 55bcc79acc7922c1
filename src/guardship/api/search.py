"""Log search: run a query, check it as it is typed, and what tables there are."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from guardship.api.access import DoorsHere, Reader, who
from guardship.errors import TextError
from guardship.workspace import saved_searches
from guardship.workspace.search import ROW_LIMIT, TIMEOUT_SECONDS, Timespan

router = APIRouter(tags=["search"])


class QueryIn(BaseModel):
    """The time range is `hours` back from now, or from `start` to `end`; it is added to what the query says itself."""

    query: str = Field(max_length=100_000)
    hours: float | None = Field(None, gt=0, le=24 * 3660)
    start: datetime | None = None
    end: datetime | None = None
    parameters: dict[str, str | int | float | bool] = {}
    row_limit: int = Field(ROW_LIMIT, ge=1, le=500_000)
    timeout_seconds: float = Field(TIMEOUT_SECONDS, gt=0, le=600)


class ColumnOut(BaseModel):
    name: str
    type: str


class AnswerOut(BaseModel):
    columns: list[ColumnOut]
    rows: list[list[Any]]
    is_complete: bool
    elapsed_seconds: float
    visualization: str | None
    empty_tables: list[str] = Field(default=[], description="Where no row was found: the tables of the query that hold none at all.")


class DiagnosticOut(BaseModel):
    code: str
    message: str
    hint: str | None
    line: int | None
    column: int | None
    start: int | None
    end: int | None


class TableOut(BaseModel):
    name: str
    meaning: str
    columns: list["TableColumnOut"]


class TableColumnOut(BaseModel):
    name: str
    type: str
    meaning: str


class SavedIn(BaseModel):
    name: str = Field(max_length=200)
    query: str = Field(max_length=100_000)
    description: str = Field("", max_length=1000)


class SavedOut(BaseModel):
    search_id: str
    name: str
    query: str
    description: str


@router.post("/search")
def run_query(body: QueryIn, doors: DoorsHere, caller: Reader) -> AnswerOut:
    """Run a KQL query; errors name line, column and the way out."""
    found = doors.search.run(
        body.query,
        timespan=_timespan(body, doors.clock.now()),
        parameters=body.parameters,
        row_limit=body.row_limit,
        timeout_seconds=body.timeout_seconds,
    )
    return AnswerOut(
        columns=[ColumnOut(name=name, type=kind) for name, kind in found.columns],
        rows=found.rows,
        is_complete=found.is_complete,
        elapsed_seconds=found.elapsed_seconds,
        visualization=found.visualization,
        empty_tables=list(found.empty_tables),
    )


@router.post("/search/check")
def check_query(body: QueryIn, doors: DoorsHere, caller: Reader) -> list[DiagnosticOut]:
    """What is wrong with a query, for an editor; nothing is run."""
    return [_diagnostic(error) for error in doors.search.check(body.query)]


@router.get("/search/tables")
def list_tables(doors: DoorsHere, caller: Reader) -> list[TableOut]:
    return [
        TableOut(
            name=table.name,
            meaning=table.meaning,
            columns=[
                TableColumnOut(name=column.name, type=column.type.value, meaning=column.meaning)
                for column in table.columns
                if not column.is_hidden
            ],
        )
        for table in doors.catalog.tables.values()
    ]


@router.get("/saved-searches")
def list_saved(doors: DoorsHere, caller: Reader) -> list[SavedOut]:
    with doors.database.reading() as session:
        return [SavedOut.model_validate(row, from_attributes=True) for row in saved_searches.all_searches(session)]


@router.post("/saved-searches", status_code=201)
def save_search(body: SavedIn, doors: DoorsHere, caller: Reader) -> SavedOut:
    with doors.database.transaction() as session:
        row = saved_searches.save(session, body.name, body.query, by=who(caller), at=doors.clock.now(), description=body.description)
        session.flush()
        return SavedOut.model_validate(row, from_attributes=True)


@router.delete("/saved-searches/{search_id}", status_code=204)
def remove_search(search_id: str, doors: DoorsHere, caller: Reader) -> None:
    with doors.database.transaction() as session:
        saved_searches.remove(session, search_id)


def _timespan(body: QueryIn, now: datetime) -> Timespan | None:
    if body.start is not None:
        return body.start, body.end or now
    return None if body.hours is None else timedelta(hours=body.hours)


def _diagnostic(error: TextError) -> DiagnosticOut:
    span = error.span
    return DiagnosticOut(
        code=error.code,
        message=error.message,
        hint=error.hint,
        line=span.line if span else None,
        column=span.column if span else None,
        start=span.start if span else None,
        end=span.end if span else None,
    )
