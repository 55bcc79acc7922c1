"""Azure Monitor Logs and the Data Collector over our own logs: KQL in, rows or a page out; rows in, to `<type>_CL`."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from guardship.connectors.acting import Acting, BadInput, answer
from guardship.connectors.result_pages import PAGES, page_of
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse
from guardship.playbooks.durations import read_duration
from guardship.workspace.custom_tables import CustomTables
from guardship.workspace.kql.literals import parse_datetime
from guardship.workspace.search import Answer, Search, Timespan

_LAST = re.compile(r"last\s+(?:(\d+)\s*)?(minute|hour|day|week|month)s?", re.IGNORECASE)
_BETWEEN = re.compile(r"between\s*\(\s*datetime\((?P<start>[^()]+)\)\s*\.\.\s*datetime\((?P<end>[^()]+)\)\s*\)?", re.IGNORECASE)
_SPANS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


class LogSearch:
    def __init__(self, search: Search) -> None:
        self._search = search

    def back_end(self) -> Acting:
        return Acting("azuremonitorlogs", {"query": self._query, "query_v2": self._query, "visualize": self._visualize})

    def _query(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        return answer({"value": self._found(request).records()})

    def _visualize(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        wanted = _named(request.queries, "visType") or "Html Table"
        if wanted.lower() not in PAGES:
            raise BadInput(f"visType: {wanted} is not drawn here, {', '.join(page.title() for page in PAGES)} are")
        page = b64encode(page_of(wanted, self._found(request)).encode()).decode()
        return answer({"body": page, "attachmentContent": page, "attachmentName": "results.html"})

    def _found(self, request: ConnectorRequest) -> Answer:
        body = request.body
        given = body if isinstance(body, Mapping) else {}
        query = _named(given, "query") if given else body
        if not isinstance(query, str) or not query.strip():
            raise BadInput("body: a query in KQL is needed")
        span = timespan_of(_named(given, "timerange") or _named(request.queries, "timerange"))
        return self._search.run(query, timespan=span)


def timespan_of(given: Any) -> Timespan | None:
    """`Last 7 days`, `PT12H`, `between(datetime(…)..datetime(…))`; None where the query says it itself."""
    text = str(given or "").strip()
    if text.lower() in ("", "set in query"):
        return None
    if match := _LAST.fullmatch(text):
        return int(match[1] or 1) * _SPANS[match[2].lower()]
    if match := _BETWEEN.fullmatch(text):
        return _moment(match["start"]), _moment(match["end"])
    seconds = read_duration(text)
    if seconds is None:
        raise BadInput(f"timerange: {text[:100]} is not understood; such as Last 7 days, Set in query, PT12H")
    return timedelta(seconds=seconds)


def _moment(text: str) -> datetime:
    found = parse_datetime(text.strip().strip("'\""))
    if found is None:
        raise BadInput(f"timerange: {text[:60]} is no time")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _named(given: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in given.items() if key.lower() == name.lower()), None)


class DataCollector:
    def __init__(self, tables: CustomTables) -> None:
        self._tables = tables

    def back_end(self) -> Acting:
        return Acting("azureloganalyticsdatacollector", {"send": self._send})

    def _send(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        log_type = str(_named(request.headers, "Log-Type") or "")
        time_field = str(_named(request.headers, "time-generated-field") or "")
        done = self._tables.send(log_type, rows_of(request.body), time_field=time_field, batch_id=context.idempotency_key[:32])
        if done.rejected:
            first = done.rejected[0]
            raise BadInput(f"row {first.row}: {first.column}: {first.reason}")
        return ConnectorResponse(200)


def rows_of(body: Any) -> Sequence[Any]:
    """One object or an array of them, mostly as a text of JSON."""
    if isinstance(body, str):
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadInput(f"body: the rows are a text that is no JSON: {error}") from error
    if isinstance(body, Mapping):
        return [body]
    if not isinstance(body, list):
        raise BadInput(f"body: rows are an object or an array of objects, this is a value of type {type(body).__name__}")
    return body
