"""A trigger that fires, and the published version that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.definition import Workflow


class NotPublished(GuardshipError):
    code = "playbooks.not_published"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Published:
    """A published version, ready to run."""

    playbook_id: str
    playbook_name: str
    version_id: str
    workflow: Workflow


class Playbooks(Protocol):
    """Where the runner finds versions: the library, or a test's own."""

    def published(self, playbook_id: str) -> Published: ...

    def version(self, version_id: str) -> Published: ...


class Firing(NamedTuple):
    """What a trigger brings, how urgent it is, and what it belongs to."""

    playbook_id: str
    trigger_name: str | None  # None: the playbook's first trigger
    body: Any
    headers: Mapping[str, str] = MappingProxyType({})
    queries: Mapping[str, str] = MappingProxyType({})
    priority: int = 10
    alert_id: str | None = None
    incident_id: str | None = None
    by: str = ""
    person: str | None = None  # behind `by`: of a token who made it
    client_tracking_id: str | None = None
    more: Mapping[str, Any] = MappingProxyType({})  # of the trigger's outputs: relativePathParameters, statusCode
    parent: Mapping[str, Any] | None = None  # the run and the action that started it: run_id, key, depth, waits
