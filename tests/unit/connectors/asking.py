"""Calls of connectors as a run makes them, with the parameters a connection would have."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tests.unit.connectors.test_azure_automation import context

from guardship.connectors.published_connector import BackEnd
from guardship.connectors.published_operations import shipped
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse, Probing

KEY = "ab" * 32


def request_for(
    connector: str,
    operation: str,
    body: Any = None,
    *,
    queries: Mapping[str, Any] = MappingProxyType({}),
    headers: Mapping[str, str] = MappingProxyType({}),
    places: Mapping[str, str] = MappingProxyType({}),
    **more: str,
) -> ConnectorRequest:
    """A call of a published operation; what its path needs and is not given has a value that says so."""
    found = shipped()[connector].operation(operation)
    assert found is not None, operation
    segments = {**dict.fromkeys(found.pattern.groupindex, "x"), **places, **more}
    return ConnectorRequest(operation, found.method, found.path, segments, queries, headers, body)


def with_connection(**parameters: Any) -> CallContext:
    return replace(context(), connection=parameters)


def ask(end: BackEnd, request: ConnectorRequest, given: CallContext | None = None) -> ConnectorResponse:
    return asyncio.run(end.call(request, given or context()))


def probe(end: BackEnd, request: ConnectorRequest, given: CallContext | None = None) -> ConnectorResponse | None:
    assert isinstance(end, Probing)
    return asyncio.run(end.probe(request, given or context()))


def reason_of(response: ConnectorResponse) -> str:
    """Of a 400: what the answer says is wrong."""
    assert response.status_code == 400, response
    return str(response.body["error"]["message"])
