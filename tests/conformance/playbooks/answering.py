"""Connectors that answer whatever a definition asks: as published where a shape is, else as the definition reads the answer.

What the published connectors lack is made from the definition's own paths, so that the rest of a playbook can be judged; it is counted
apart, because here nobody but a recording would answer it.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from tests.conformance.playbooks.reading import Readings
from tests.conformance.playbooks.shapes import completed

from guardship.connectors.http import Http
from guardship.connectors.published_operations import PublishedOperation, shipped
from guardship.connectors.recordings import Record, Replay
from guardship.playbooks.actions.calls import connection_key
from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.found import FoundWorkflow
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.connector import (
    CallContext,
    Connector,
    ConnectorRequest,
    ConnectorResponse,
    ConnectorSet,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import ExpressionSyntax, Mixed
from guardship.playbooks.reading import read_connections

RECORDED, PUBLISHED, FROM_TEMPLATE, NOT_PUBLISHED = "recorded", "published", "template", "not published"
INTERNAL = ("workflow", "batch", "azure_function", "javascript")  # what actions of our own call
CallBack = Callable[[str, Any], Awaitable[bool]]

_ADDRESS = re.compile(r"/callbacks/([\w-]{20,})")
_FINAL = {"is_final": True} if "is_final" in {one.name for one in fields(ConnectorResponse)} else {}


@dataclass(slots=True)
class Answers:
    """What the workflow that runs now reads, and who was asked how often."""

    readings: Readings = field(default_factory=Readings)
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # connector, operation, by what it was answered
    call_back: CallBack | None = None
    recordings: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answering:
    name: str
    title: str
    operations: tuple[Operation, ...]
    triggers: tuple[TriggerOffer, ...]
    answers: Answers
    extra: frozenset[str] = frozenset()

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        action = re.sub(r"%(25|2F|5B|5D)", lambda match: chr(int(match[1], 16)), context.action_key.rsplit("/", 1)[-1])
        replay = Replay(self.name, self.answers.recordings)
        if self.answers.recordings and replay.missing(request.operation, {}) is None:
            self._count(request, RECORDED)
            kept = await replay.call(request, context)
            return ConnectorResponse(kept.status_code, kept.headers, kept.body, **_FINAL)
        operation = next((one for one in self.operations if one.name == request.operation), None)
        read = self.answers.readings.body(action)
        published = operation.answer if isinstance(operation, PublishedOperation) else None
        by = NOT_PUBLISHED if request.operation in self.extra else PUBLISHED if published is not None else FROM_TEMPLATE
        self._count(request, by)
        body = read if published is None else completed(published, read)
        headers = {"Content-Type": "application/json"} | self.answers.readings.headers(action)
        address = _ADDRESS.search(repr(request.body)) if self.name != "http" else None
        if address is not None and self.answers.call_back is not None and await self.answers.call_back(address[1], body):
            return ConnectorResponse(200, headers, {})
        return ConnectorResponse(200, headers, body, **_FINAL)

    def _count(self, request: ConnectorRequest, by: str) -> None:
        label = f"{request.method} {_host(request.path)}" if self.name == "http" else request.operation
        self.answers.asked[(self.name, label, by)] += 1


def _host(address: str) -> str:
    return urlsplit(address).netloc or "(no host)"


class EveryConnector(ConnectorSet):
    """Also those that are asked for by a name nobody has."""

    def __init__(self, connectors: Iterable[Connector], answers: Answers) -> None:
        super().__init__(connectors)
        self._answers = answers

    def get(self, name: str) -> Connector | None:
        known = super().get(name)
        if known is not None or name.lower() not in INTERNAL:
            return known
        return Answering(name, name, (Operation("call", "POST", "", Recovery.RETRY),), (), self._answers)


def connectors_for(workflows: Iterable[FoundWorkflow], answers: Answers) -> EveryConnector:
    """The published ones, and for these workflows whatever else they name."""
    more: dict[str, dict[tuple[str, str], Operation]] = {}
    for one in workflows:
        connections = read_connections(field_of(one.parameters, "$connections"))
        for inputs in _api_calls(one.definition):
            name = _connector_of(inputs, connections)
            shape, method = shape_of(field_of(inputs, "path")), str(field_of(inputs, "method", "")).upper()
            if name is not None and shape is not None and not _is_published(name, method, shape):
                for verb in (method,) if method else ("GET", "POST"):
                    more.setdefault(name, {})[(verb, shape.lower())] = _made(verb, shape)
    known = shipped()
    made: list[Connector] = [Answering("http", "HTTP", Http.operations, (), answers)]
    for name in sorted({*known, *more}):
        published = known.get(name)
        extra = tuple(more.get(name, {}).values())
        operations = (*(published.operations if published else ()), *extra)
        triggers = published.triggers if published else ()
        made.append(Answering(name, name, operations, triggers, answers, frozenset(one.name for one in extra)))
    return EveryConnector(made, answers)


def _api_calls(document: Any) -> Iterable[dict[str, Any]]:
    """The inputs of every action and trigger that calls a connector."""
    match document:
        case dict():
            inputs = field_of(document, "inputs")
            if isinstance(inputs, dict) and str(field_of(document, "type", "")).lower().startswith("apiconnection"):
                yield inputs
            for inner in document.values():
                yield from _api_calls(inner)
        case list():
            for inner in document:
                yield from _api_calls(inner)


def _connector_of(inputs: Mapping[str, Any], connections: Mapping[str, Any]) -> str | None:
    host = field_of(inputs, "host")
    connection = field_of(host, "connection") if isinstance(host, dict) else None
    if not isinstance(connection, dict):
        return None
    key = connection_key(field_of(connection, "name")) or field_of(connection, "referenceName")
    if not isinstance(key, str):
        return None
    plain = re.sub(r"[_-]\d+$", "", key)
    use = connections.get(key) or connections.get(plain)
    return str(use.connector if use else plain).lower()


def shape_of(path: Any) -> str | None:
    """`/ip/@{triggerBody()}` as `/ip/{}`."""
    if not isinstance(path, str):
        return None
    try:
        template = parse_template(path)
    except ExpressionSyntax:
        return None
    parts = template.parts if isinstance(template, Mixed) else (template,)
    return "".join(part if isinstance(part, str) else "{}" for part in parts)


def _is_published(name: str, method: str, shape: str) -> bool:
    published = shipped().get(name)
    found = published.operations if published else ()
    triggers = published.triggers if published else ()
    if any(offer.path.lower() == shape.lower() for offer in triggers):
        return True
    return any(one.pattern.fullmatch(shape) and method in ("", one.method) for one in found)


def _made(method: str, shape: str) -> Operation:
    names = iter(range(1, 1000))
    path = re.sub(r"\{\}", lambda match: f"{{value{next(names)}}}", shape)
    return Operation(f"{method} {shape}", method, path, Recovery.RETRY, has_effect=method != "GET")


PLACE = ArmPlace()
