"""The operations of published connectors, read from `published/*.toml`: data, so that adding one needs no Python.

    [keyvault]
    title = "Azure Key Vault"

    [keyvault.rest]                                  where the service itself answers, and what opens it
    base = "https://{vaultName}.vault.azure.net"     names in braces are parameters of the connection
    auth = "bearer token"                            or `basic username password`, `header X-Key api_key`

    [[keyvault.operations]]
    name = "get_secret"
    call = "GET /secrets/{secret}/value"             method and path as definitions write them
    rest = "/secrets/{secret}?api-version=7.4"       the service's own path where it is another
    answer = '{"value": "s"}'                        an example of what is answered, as published

What becomes of a call that a crash cut short goes by the method, unless it is said: GET, PUT and DELETE are repeated, POST and PATCH ask a
person. `reads = true` marks a POST without effect, `waits = true` an operation whose answer is a call of the address it is given.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from guardship.errors import GuardshipError
from guardship.playbooks.connector import DEFAULT_TIMEOUT_SECONDS, Operation, Recovery, TriggerOffer

SHIPPED = Path(__file__).parent / "published"

_NAME = re.compile(r"\{(\w+)\}")
_REPEATED = ("GET", "HEAD", "PUT", "DELETE")
_FIELDS = {
    "name",
    "call",
    "summary",
    "recovery",
    "reads",
    "waits",
    "body",
    "queries",
    "rest",
    "answer",
    "is_secret",
    "is_gated",
    "timeout_seconds",
}


class BadPublishedFile(GuardshipError):
    code = "connectors.bad_published_file"


@dataclass(frozen=True)
class PublishedOperation(Operation):
    body_keys: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    waits: bool = False  # it is told an address; the call of that is its answer
    is_secret: bool = False  # no recording keeps what it answers
    is_gated: bool = False  # it cuts a machine off or lets it back: only where the host has a door that is observed
    rest_path: str = ""
    answer: Any = field(default=None, compare=False)  # an example of the body; None where no shape is published


@dataclass(frozen=True, slots=True)
class RestService:
    """Where a service answers by itself: `base` with names of connection parameters, and how a call is let in."""

    base: str
    auth: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    name: str
    title: str
    operations: tuple[PublishedOperation, ...] = ()
    triggers: tuple[TriggerOffer, ...] = ()
    rest: RestService | None = None

    def operation(self, name: str) -> PublishedOperation | None:
        return next((one for one in self.operations if one.name == name), None)


@cache
def shipped() -> Mapping[str, Published]:
    """Every published connector by its name."""
    found: dict[str, Published] = {}
    for file in sorted(SHIPPED.glob("*.toml")):
        for published in read_published(file.name, file.read_text("utf-8")):
            if published.name in found:
                raise BadPublishedFile(f"{file.name}: {published.name} is published twice")
            found[published.name] = published
    return found


def read_published(file: str, text: str) -> list[Published]:
    """The connectors of one file."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPublishedFile(f"{file} is no TOML: {error}") from error
    return [_connector(file, name, entry) for name, entry in content.items()]


def _connector(file: str, name: str, entry: Mapping[str, Any]) -> Published:
    operations = tuple(_operation(f"{file}: {name}", given) for given in entry.get("operations", ()))
    names = [operation.name for operation in operations]
    if twice := {one for one in names if names.count(one) > 1}:
        raise BadPublishedFile(f"{file}: {name} has two operations called {', '.join(sorted(twice))}")
    rest = entry.get("rest")
    service = RestService(str(rest["base"]), tuple(str(rest["auth"]).split())) if rest else None
    triggers = tuple(offer for given in entry.get("triggers", ()) for offer in _offers(given))
    return Published(name.lower(), str(entry.get("title", name)), operations, triggers, service)


def recovery_of_method(method: str) -> Recovery:
    """What a crash in the middle of a call asks for, where nothing else is said of the operation."""
    return Recovery.RETRY if method in _REPEATED else Recovery.ASK


def _offers(given: Mapping[str, Any]) -> list[TriggerOffer]:
    """One, or one for each of its `kinds`."""
    kinds = given.get("kinds")
    if kinds is None:
        return [TriggerOffer(given["path"], given["payload"], given["title"])]
    return [
        TriggerOffer(given["path"].replace("{kind}", kind), given["payload"].replace("{kind}", kind.lower()), f"{given['title']}: {kind}")
        for kind in kinds
    ]


def _operation(place: str, given: Mapping[str, Any]) -> PublishedOperation:
    if unknown := given.keys() - _FIELDS:
        raise BadPublishedFile(f"{place}: an operation has no field {', '.join(sorted(unknown))}")
    try:
        method, _, path = str(given["call"]).partition(" ")
        reads = bool(given.get("reads", method == "GET"))
        rest = str(given.get("rest", path))
        if strange := set(_NAME.findall(rest)) - set(_NAME.findall(path)):
            raise ValueError(f"rest names {', '.join(sorted(strange))}, which its path does not have")
        plain = Recovery.RETRY if reads or given.get("waits") else recovery_of_method(method)
        return PublishedOperation(
            name=given["name"],
            method=method,
            path=path,
            recovery=Recovery(given.get("recovery", plain)),
            has_effect=not reads,
            timeout_seconds=float(given.get("timeout_seconds", 120.0 if reads else DEFAULT_TIMEOUT_SECONDS)),
            summary=given.get("summary", ""),
            body_keys=tuple(given.get("body", ())),
            queries=tuple(given.get("queries", ())),
            waits=bool(given.get("waits", False)),
            is_secret=bool(given.get("is_secret", False)),
            is_gated=bool(given.get("is_gated", False)),
            rest_path=rest,
            answer=json.loads(given["answer"]) if "answer" in given else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadPublishedFile(f"{place}: {given.get('name', 'an operation without a name')} is not readable: {error}") from error
