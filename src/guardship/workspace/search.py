"""The one entrance to the logs: a KQL query in, rows in Kusto's JSON forms out. Safe to call from many threads.

The compiler and the store are imported at the first search, so that a server that only answers pages stays small.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from guardship.clock import Clock
from guardship.errors import TextError
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.kql.types import BOOL, DATETIME, LONG, REAL, STRING, TIMESPAN, KqlType

DEFAULT_TIMESPAN = timedelta(hours=24)
ROW_LIMIT = 10_000
TIMEOUT_SECONDS = 30.0

Timespan = timedelta | tuple[datetime, datetime]
Parameter = str | int | float | bool | datetime | timedelta
JsonCell = str | int | float | bool | None | list[object] | dict[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    columns: tuple[tuple[str, str], ...]  # name, Kusto type
    rows: list[list[JsonCell]]
    is_complete: bool  # false: the row limit cut it
    elapsed_seconds: float
    tables: frozenset[str] = field(default_factory=frozenset)
    visualization: str | None = None
    empty_tables: tuple[str, ...] = ()  # where no row was found: those that hold none at all

    @property
    def row_count(self) -> int:
        return len(self.rows)

    def records(self) -> list[dict[str, JsonCell]]:
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class ReceivedRange:
    """Only rows received after `after` and up to `until`: how a rule sees each row once."""

    after: datetime
    until: datetime


class Search:
    def __init__(self, store: DuckDbStore, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    def run(
        self,
        query: str,
        *,
        timespan: Timespan | None = None,
        received: ReceivedRange | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        row_limit: int = ROW_LIMIT,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """The answer to a query. `timespan` cuts every table by TimeGenerated, in addition to what the query says itself."""
        from guardship.workspace.kql.compile import compile_query  # late: it brings sqlglot
        from guardship.workspace.kql.plan import Constant
        from guardship.workspace.kql.scope import ScanRange
        from guardship.workspace.kql.values import printer_of

        started = self._clock.monotonic()
        now = self._clock.now()
        from_time, to_time = _ends(timespan, now)
        scan_range = ScanRange(
            from_time, to_time, _naive(received.after) if received else None, _naive(received.until) if received else None
        )
        constants = {name: Constant(*_constant(value)) for name, value in (parameters or {}).items()}
        compiled = compile_query(query, self._catalog.schema, _naive(now), parameters=constants, scan_range=scan_range, row_limit=row_limit)
        cells = self._store.query(compiled.sql, timeout_seconds=timeout_seconds)
        printers = [printer_of(column.type) for column in compiled.columns]
        rows = [[show(cell) for show, cell in zip(printers, row, strict=False)] for row in cells[:row_limit]]
        return Answer(
            tuple((column.name, column.type.value) for column in compiled.columns),
            rows,
            len(cells) <= row_limit,
            self._clock.monotonic() - started,
            compiled.tables,
            compiled.visualization,
            () if rows else tuple(table for table in sorted(compiled.tables) if self._store.is_empty(table)),
        )

    def check(self, query: str) -> list[TextError]:
        """What an editor underlines: every syntax error, else the first name or type that does not fit."""
        from guardship.workspace.kql.compile import compile_query  # late: it brings sqlglot
        from guardship.workspace.kql.parser import problems

        found: list[TextError] = list(problems(query))
        if found:
            return found
        try:
            compile_query(query, self._catalog.schema, _naive(self._clock.now()))
        except TextError as error:
            return [error]
        return []


def _ends(timespan: Timespan | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    if timespan is None:
        return None, None
    if isinstance(timespan, timedelta):
        return _naive(now - timespan), _naive(now)
    return _naive(timespan[0]), _naive(timespan[1])


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _constant(value: Parameter) -> tuple[KqlType, object]:
    match value:
        case bool():
            return BOOL, value
        case int():
            return LONG, value
        case float():
            return REAL, value
        case datetime():
            return DATETIME, _naive(value)
        case timedelta():
            return TIMESPAN, (value.days * 86_400 + value.seconds) * 10_000_000 + value.microseconds * 10
        case _:
            return STRING, value
