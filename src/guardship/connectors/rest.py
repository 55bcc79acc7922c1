"""The back end `azure`: operations carried out by the service itself, over the Http action's own client and under its rules.

The path is made anew from the values that the definition encoded, once or twice; what opens the service comes from the connection alone.
A host of Azure Resource Manager still leads through the gate, because the Http action's doors do.
"""

import re
from base64 import b64encode
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from guardship.connectors.http import Http
from guardship.connectors.published_operations import Published, RestService
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse

AS_GIVEN = ("given",)  # by whatever of token, username and password, or api_key the connection holds

_NAME = re.compile(r"\{(\w+)\}")


class Rest:
    def __init__(self, published: Published, service: RestService, http: Http, doors: Container[str] = ()) -> None:
        """`doors` are the hosts that the Http action reaches through observed clients alone."""
        self._published = published
        self._doors = doors
        self._service = service
        self._http = http

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        found = self._published.operation(operation)
        if found is None:
            return f"{self._published.name} has no operation {operation}"
        absent = [name for name in self._parameters(connection) if not connection.get(name)]
        if absent:
            return f"the connection {self._published.name} lacks {', '.join(absent)}, by which {self._published.title} is reached"
        host = urlsplit(self._base(connection)).hostname or ""
        if found.is_gated and host not in self._doors:
            return f"what isolates or releases a machine passes the gate, and {host} is not reached through it here"
        return None

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        connection = context.connection
        operation, reason = self._published.operation(request.operation), self.missing(request.operation, context.connection)
        if operation is None or reason is not None:
            raise CallFailed("UnsupportedOperation", f"{self._published.name} cannot carry out {request.operation}: {reason}")
        path = _NAME.sub(lambda match: quote(request.segments[match[1]], safe=""), operation.rest_path)
        order = replace(
            request,
            method=operation.method,
            path=self._base(connection) + path,
            segments={},
            headers={**request.headers, **self._key(connection)},
            options={},
        )
        return await self._http.call(order, context)

    def _parameters(self, connection: Mapping[str, Any]) -> list[str]:
        """Every parameter a call needs: those in the base address and those of the key."""
        placed = [] if connection.get("base_url") else _NAME.findall(self._service.base)
        kind, *rest = self._service.auth
        return [*placed, *(rest[1:] if kind == "header" else rest)]

    def _base(self, connection: Mapping[str, Any]) -> str:
        """As published, unless the connection gives a `base_url` of its own: a sovereign cloud, a service on the premises."""
        given = str(connection.get("base_url") or "")
        return (given or _NAME.sub(lambda match: quote(str(connection[match[1]]), safe=""), self._service.base)).rstrip("/")

    def _key(self, connection: Mapping[str, Any]) -> dict[str, str]:
        match self._service.auth:
            case ("bearer", name):
                return {"Authorization": f"Bearer {connection[name]}"}
            case ("basic", name, word):
                return _basic(connection, name, word)
            case ("header", header, name):
                return {header: str(connection[name])}
            case ("given",):
                return _given(connection)
            case other:
                raise CallFailed("UnsupportedAuthentication", f"{self._published.name} is published with {' '.join(other)}")


def _basic(connection: Mapping[str, Any], name: str, word: str) -> dict[str, str]:
    pair = f"{connection[name]}:{connection.get(word, '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _given(connection: Mapping[str, Any]) -> dict[str, str]:
    if connection.get("token"):
        return {"Authorization": f"Bearer {connection['token']}"}
    if connection.get("username"):
        return _basic(connection, "username", "password")
    if connection.get("api_key"):
        return {str(connection.get("api_key_header") or "X-API-Key"): str(connection["api_key"])}
    return {}
