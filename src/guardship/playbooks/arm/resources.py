"""The resources of a template that are read: playbooks and what belongs to them. Each function takes the resource, worked out."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.found import FoundConnection, FoundCustomConnector, FoundRoleAssignment, FoundWorkflow
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.secrets import declared_secure, lift_secrets
from guardship.playbooks.arm.swagger import operations_of, service_uri
from guardship.playbooks.arm.symbols import Unknown, secrets_in
from guardship.playbooks.definition import Path

_SECRETIVE = re.compile(r"password|secret|token|key|credential|connectionstring|pfx|sas", re.IGNORECASE)


def object_of(document: Any, name: str) -> dict[str, Any]:
    """A field that should be an object; empty when it is not."""
    found = field_of(document, name) if isinstance(document, Mapping) else None
    return found if isinstance(found, dict) else {}


def text_in(document: Any, name: str, otherwise: str = "") -> str:
    found = field_of(document, name) if isinstance(document, Mapping) else None
    return otherwise if found is None else str(found)


def read_workflow_resource(name: str, resource: Mapping[str, Any], path: Path, report: Report) -> FoundWorkflow:
    """`path` is the one of the resource's `properties`."""
    properties = object_of(resource, "properties")
    values = {key: field_of(entry, "value") for key, entry in object_of(properties, "parameters").items() if isinstance(entry, dict)}
    where = (*path, "definition")
    lifted = lift_secrets(field_of(properties, "definition"), values, where, report)
    return FoundWorkflow(
        name,
        where,
        lifted.definition,
        lifted.parameters,
        frozenset(lifted.secure) | declared_secure(lifted.definition, lifted.parameters),
        is_enabled=text_in(properties, "state", "Enabled").lower() != "disabled",
        kind=text_in(resource, "kind"),
        identity=object_of(resource, "identity"),
        tags={key: str(value) for key, value in object_of(resource, "tags").items()},
        location=text_in(resource, "location"),
    )


def read_connection(name: str, resource: Mapping[str, Any]) -> FoundConnection:
    """Which connector it is for, and its parameters; what is secret, or may be, is not taken over."""
    properties = object_of(resource, "properties")
    written = text_in(object_of(properties, "api"), "id")
    given = {**object_of(properties, "parameterValues"), **object_of(properties, "nonSecretParameterValues")}
    asked = tuple(
        key
        for key, value in given.items()
        if _SECRETIVE.search(key) or isinstance(value, Unknown) or any(secrets_in(value)) or value in ("", None)
    )
    connector = written.rstrip("/").rsplit("/", 1)[-1].lower()
    values = {key: value for key, value in given.items() if key not in asked}
    return FoundConnection(name, connector, text_in(properties, "displayName", name), written, values, asked)


def read_custom_connector(name: str, resource: Mapping[str, Any]) -> FoundCustomConnector:
    properties = object_of(resource, "properties")
    swagger = field_of(properties, "swagger")
    described = object_of(properties, "apiDefinitions")
    uri = text_in(described, "modifiedSwaggerUrl") or text_in(described, "originalSwaggerUrl")
    backend = text_in(object_of(properties, "backendService"), "serviceUrl")
    shown = text_in(properties, "displayName", name)
    return FoundCustomConnector(name, shown, backend or service_uri(swagger), operations_of(swagger), uri)


def read_role_assignment(name: str, kind: str, resource: Mapping[str, Any], base_path: str) -> FoundRoleAssignment:
    """Its scope is its own, or the resource it extends, or what the template is deployed to."""
    properties = object_of(resource, "properties")
    role_id = text_in(properties, "roleDefinitionId").rstrip("/").rsplit("/", 1)[-1].lower()
    scope = text_in(resource, "scope") or text_in(properties, "scope") or _extended(kind, name, base_path) or base_path
    if not scope.startswith("/"):
        scope = f"{base_path}/providers/{scope.strip('/')}"
    return FoundRoleAssignment(
        name.rsplit("/", 1)[-1],
        role_id,
        built_in_roles().get(role_id),
        scope,
        text_in(properties, "principalId"),
        text_in(properties, "principalType"),
    )


def _extended(kind: str, name: str, base_path: str) -> str:
    """`Microsoft.KeyVault/vaults/providers/roleAssignments` called `kv/Microsoft.Authorization/…` extends the vault."""
    parent = kind.lower().partition("/providers/")[0]
    if parent == kind.lower():
        return ""
    provider, *types = kind[: len(parent)].split("/")
    pairs = "/".join(f"{each}/{called}" for each, called in zip(types, name.split("/"), strict=False))
    return f"{base_path}/providers/{provider}/{pairs}"


@cache
def built_in_roles() -> dict[str, str]:
    with FilePath(__file__).with_name("roles.toml").open("rb") as file:
        return {role_id: str(role) for role_id, role in tomllib.load(file).items()}
