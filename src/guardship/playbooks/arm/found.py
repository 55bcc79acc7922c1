"""What a template holds that means something here. Everything else is ignored, by type and name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardship.playbooks.arm.report import NeedsDeployment
from guardship.playbooks.definition import Path, Problem


@dataclass(frozen=True, slots=True)
class FoundWorkflow:
    name: str
    path: Path  # of the definition in the document
    definition: Any
    parameters: Mapping[str, Any] = field(repr=False)  # with secure values in the clear
    secure: frozenset[str] = frozenset()  # parameters whose values are not for the eye
    is_enabled: bool = True
    kind: str = ""  # Stateful or Stateless, of a Standard workflow
    identity: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    location: str = ""


@dataclass(frozen=True, slots=True)
class FoundConnection:
    name: str
    connector: str
    display_name: str
    api_id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)  # of its parameters, without secrets
    asked: tuple[str, ...] = ()  # parameters whose values are given to our own connection


@dataclass(frozen=True, slots=True)
class FoundParameter:
    name: str
    place: str  # path, query, header, body, formData
    kind: str
    is_required: bool
    summary: str = ""


@dataclass(frozen=True, slots=True)
class FoundOperation:
    operation_id: str
    method: str
    path: str
    parameters: tuple[FoundParameter, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class FoundCustomConnector:
    """`swagger_uri` is where the operations are described, when the template does not hold them."""

    name: str
    display_name: str
    service_uri: str
    operations: tuple[FoundOperation, ...]
    swagger_uri: str = ""


@dataclass(frozen=True, slots=True)
class FoundRoleAssignment:
    name: str
    role_id: str
    role: str | None  # the name of a built-in role
    scope: str
    principal: str
    principal_type: str = ""


@dataclass(frozen=True, slots=True)
class FoundCondition:
    property: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundSource:
    """Rows of one kind; of the groups of conditions one must hold, and in it all."""

    name: str  # Alerts, Assessments, Incidents …
    any_of: tuple[tuple[FoundCondition, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class FoundStep:
    kind: str  # LogicApp, RunPlaybook, ModifyProperties …
    logic_app: str | None  # its name
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundAutomation:
    """A workflow automation of Defender for Cloud (`security`) or an automation rule of Sentinel (`sentinel`)."""

    name: str
    display_name: str
    kind: str
    is_enabled: bool
    scopes: tuple[str, ...]
    sources: tuple[FoundSource, ...]
    actions: tuple[FoundStep, ...]
    order: int = 0
    triggers_when: str = ""  # Created, Updated


@dataclass(slots=True)
class Found:
    workflows: list[FoundWorkflow] = field(default_factory=list)
    connections: list[FoundConnection] = field(default_factory=list)
    custom_connectors: list[FoundCustomConnector] = field(default_factory=list)
    role_assignments: list[FoundRoleAssignment] = field(default_factory=list)
    automations: list[FoundAutomation] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # by a condition that does not hold
    problems: list[Problem] = field(default_factory=list)
    needs_deployment: list[NeedsDeployment] = field(default_factory=list)
    unusable: set[Path] = field(default_factory=set)  # values that are told of already
