"""Recordings: what a connector was asked and what it answered, one JSON object a line, secrets masked; and replay, which answers from them.

{"connector": "virustotal", "operation": "get_ip", "request": {"method": "GET", "path": "/api/v3/ip_addresses/198.51.100.7",
 "segments": {"address": "198.51.100.7"}, "queries": {}, "body": null}, "response": {"statusCode": 200, "headers": {}, "body": {}}}
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from guardship.connectors.published_operations import PublishedOperation
from guardship.errors import TextError
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse, Operation

MASK = "***"
LEAST_SECRET = 6  # shorter parameters would mask pieces of ordinary words

_SECRET_NAME = re.compile(
    r"authorization|cookie|password|passwd|pwd|secret|token|api[-_]?key|apikey|^sig$|signature|credential", re.IGNORECASE
)
_KEPT_HEADERS = ("content-type", "retry-after")


class BadRecording(TextError):
    code = "connectors.bad_recording"


@dataclass(frozen=True, slots=True)
class Record:
    connector: str
    operation: str
    request: Mapping[str, Any]
    response: ConnectorResponse

    def as_line(self) -> bytes:
        response = {"statusCode": self.response.status_code, "headers": dict(self.response.headers), "body": self.response.body}
        whole = {"connector": self.connector, "operation": self.operation, "request": dict(self.request), "response": response}
        return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE, default=str)


_WRITING = Lock()


def append(file: Path, record: Record) -> None:
    """One more line; the folder is made for the first."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _WRITING, file.open("ab") as opened:
        opened.write(record.as_line())


def record_of(
    connector: str,
    request: ConnectorRequest,
    response: ConnectorResponse,
    connection: Mapping[str, Any],
    operation: Operation | None = None,
) -> Record:
    """With what opens the service masked wherever it stands; an answer that is a secret keeps its shape alone."""
    secrets = list(_texts(connection))
    asked = {
        "method": request.method,
        "path": request.path,
        "segments": dict(request.segments),
        "queries": dict(request.queries),
        "body": request.body,
    }
    headers = {name: value for name, value in response.headers.items() if name.lower() in _KEPT_HEADERS}
    is_secret = isinstance(operation, PublishedOperation) and operation.is_secret
    body = _blank(response.body) if is_secret else masked(response.body, secrets)
    told = ConnectorResponse(response.status_code, masked(headers, secrets), body)
    return Record(connector, request.operation, masked(asked, secrets), told)


def _texts(value: Any) -> Iterator[str]:
    """Every parameter of a connection that is long enough to be a secret."""
    match value:
        case bool():
            return
        case str() | int():
            if len(str(value)) >= LEAST_SECRET:
                yield str(value)
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def masked(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Without what is called a secret, and without these texts wherever they stand."""
    known = list(secrets)
    match value:
        case str():
            for secret in known:
                value = value.replace(secret, MASK)
            return value
        case list():
            return [masked(inner, known) for inner in value]
        case dict():
            return {
                name: MASK if _SECRET_NAME.search(str(name)) and inner not in (None, "") else masked(inner, known)
                for name, inner in value.items()
            }
        case _:
            return value


def _blank(value: Any) -> Any:
    match value:
        case list():
            return [_blank(inner) for inner in value]
        case dict():
            return {name: _blank(inner) for name, inner in value.items()}
        case str():
            return MASK
        case _:
            return None


def read_recording(text: str) -> list[Record]:
    """Raises `BadRecording` with the line that is none."""
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            given = orjson.loads(line)
            answer = given["response"]
            response = ConnectorResponse(int(answer["statusCode"]), answer.get("headers") or {}, answer.get("body"))
            records.append(Record(given["connector"].lower(), given["operation"], given.get("request") or {}, response))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            hint = 'each line is {"connector": …, "operation": …, "request": {…}, "response": {"statusCode": …}}'
            raise BadRecording(f"line {number} is no record: {type(error).__name__} {error}", hint=hint) from error
    return records


class Replay:
    """The back end `replay`: the answer to the same request, else to one with the same path, else the operation's first."""

    def __init__(self, connector: str, records: Iterable[Record]) -> None:
        self._connector = connector
        self._records = [record for record in records if record.connector == connector.lower()]

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        if any(record.operation == operation for record in self._records):
            return None
        return f"no recording of {self._connector} holds an answer of {operation}"

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        listed = [record for record in self._records if record.operation == request.operation]
        if not listed:
            raise CallFailed("NotRecorded", f"no recording of {self._connector} holds an answer of {request.operation}")
        return max(listed, key=lambda record: _likeness(record.request, request)).response


def _likeness(recorded: Mapping[str, Any], request: ConnectorRequest) -> int:
    """The first of equals wins, so a recording answers in its own order."""
    same_path = str(recorded.get("path", "")).lower() == request.path.lower()
    same_queries = same_path and masked(dict(request.queries)) == recorded.get("queries", {})
    same_body = same_queries and masked(request.body) == recorded.get("body")
    return same_path + same_queries + same_body


class RecordedFile:
    """Replay from a file that may come, grow or go while the server runs."""

    def __init__(self, connector: str, folder: Path) -> None:
        self._connector = connector
        self._file = folder / f"{connector}.jsonl"
        self._read: tuple[int, Replay] | None = None

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        try:
            return self._replay().missing(operation, connection)
        except BadRecording as error:
            return f"{self._file.name}: {error}"

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        replay = await asyncio.to_thread(self._replay)
        return await replay.call(request, context)

    def _replay(self) -> Replay:
        """Read anew only when the file has changed."""
        changed_at = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if self._read is None or self._read[0] != changed_at:
            text = self._file.read_text("utf-8") if changed_at else ""
            self._read = changed_at, Replay(self._connector, read_recording(text))
        return self._read[1]
