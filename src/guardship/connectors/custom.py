"""Custom connectors: operations as a Swagger document describes them, carried out by the service it names, or by a recording.

    {"operationId": "ListBlocked", "method": "get", "path": "/lists/{list-id}", "summary": "List what is blocked"}

How such a service is entered is the connection's to say: `token`, `username` and `password`, or `api_key` with the name of its header.
"""

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Protocol

from guardship.connectors.http import Http
from guardship.connectors.published_connector import AZURE, REPLAY, BackEnd, PublishedConnector
from guardship.connectors.published_operations import Published, PublishedOperation, RestService, recovery_of_method
from guardship.connectors.recordings import RecordedFile
from guardship.connectors.rest import AS_GIVEN, Rest

_NAME = re.compile(r"\{([^{}]*)\}")


class Described(Protocol):
    """An operation as a template's custom connector holds it."""

    @property
    def operation_id(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def summary(self) -> str: ...


def custom_connector(
    name: str,
    title: str,
    described: Iterable[Described],
    *,
    service_uri: str,
    http: Http,
    http_doors: Container[str] = (),
    recordings: Path | None = None,
) -> PublishedConnector:
    """`service_uri` is scheme, host and base path; empty where the document names none, and then only a recording answers."""
    operations = tuple(_operation(one) for one in sorted(described, key=_wide_last))
    rest = RestService(service_uri.rstrip("/"), AS_GIVEN) if service_uri else None
    published = Published(name.lower(), title, operations, rest=rest)
    ends: dict[str, BackEnd] = {}
    if rest is not None:
        ends[AZURE] = Rest(published, rest, http, http_doors)
    if recordings is not None:
        ends[REPLAY] = RecordedFile(published.name, recordings)
    return PublishedConnector(published, ends, recordings=recordings)


def _wide_last(described: Described) -> tuple[int, str]:
    """The first path that fits is the one that is meant, so `/lists/all` stands before `/lists/{list}`."""
    return len(_NAME.findall(described.path)), described.path


def _operation(described: Described) -> PublishedOperation:
    method, path = described.method.upper(), _named(described.path)
    return PublishedOperation(
        name=described.operation_id or f"{method} {described.path}",
        method=method,
        path=path,
        recovery=recovery_of_method(method),
        has_effect=method not in ("GET", "HEAD"),
        summary=described.summary,
        rest_path=path,
    )


def _named(path: str) -> str:
    """Its values named so that a pattern can carry the names: `{list-id}` is `{list_id}`, a second one of a name gets a number."""
    seen: dict[str, int] = {}

    def named(match: re.Match[str]) -> str:
        plain = re.sub(r"\W", "_", match[1]) or "value"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        seen[plain] = seen.get(plain, 0) + 1
        return f"{{{plain}{seen[plain] if seen[plain] > 1 else ''}}}"

    return _NAME.sub(named, path)
