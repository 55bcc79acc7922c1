"""Entities out of what a trigger carries: by kind, in the published names, whichever of the three forms they come in.

[{"Type": "ip", "Address": "198.51.100.7"}]                     an alert's, as a list or as a text of JSON, in either casing
[{"kind": "Ip", "properties": {"address": "198.51.100.7"}}]     an incident's relatedEntities
"""

from collections.abc import Mapping
from typing import Any

import orjson

from guardship.connectors.acting import Act, BadInput, answer
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse

_KINDS = {  # operation: the list's name, the kinds that belong there, and what is always told, null where it is not known (guess)
    "get_ips": ("IPs", {"ip"}, ("Address",)),
    "get_hosts": ("Hosts", {"host"}, ("HostName", "DnsDomain", "NetBiosName", "MdatpDeviceId", "AzureID", "FQDN")),
    "get_accounts": ("Accounts", {"account"}, ("Name", "UPNSuffix", "AadUserId", "NTDomain", "Sid")),
    "get_urls": ("URLs", {"url"}, ("Url",)),
    "get_file_hashes": ("Filehashes", {"filehash"}, ("Value", "Algorithm")),
    "get_dns": ("Dnsresolutions", {"dns", "dnsresolution"}, ("DomainName",)),
    "get_alerts": ("Alerts", {"securityalert", "alert"}, ()),
}
_SPELLING = """HostName DnsDomain NTDomain NetBiosName MdatpDeviceId AzureID OMSAgentID OSFamily OSVersion FQDN IsDomainJoined Address
    Name UPNSuffix AadUserId AadTenantId Sid PUID ObjectGuid DisplayName Url Value Algorithm DomainName ResourceId Directory CommandLine
    ProcessId MailboxPrimaryAddress FriendlyName"""
_SPELLED = {name.lower(): name for name in _SPELLING.split()}


def entity_acts() -> dict[str, Act]:
    return {operation: _taking(operation) for operation in _KINDS}


def _taking(operation: str) -> Act:
    name, kinds, fields = _KINDS[operation]

    def act(request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        found = [_told(entity, fields) for entity in entities_in(request.body) if entity["Type"].lower().replace("-", "") in kinds]
        return answer({name: found})

    return act


def entities_in(body: Any) -> list[dict[str, Any]]:
    """All of them, each with its `Type` and published names; raises BadInput for what is no list."""
    if isinstance(body, bytes | str):
        try:
            body = orjson.loads(body) if body else []
        except orjson.JSONDecodeError as error:
            raise BadInput(f"body: the entities are a text that is no JSON: {error}") from error
    if isinstance(body, Mapping):
        body = next((value for name, value in body.items() if name.lower() in ("entities", "relatedentities", "value")), [body])
    if body is None:
        return []
    if not isinstance(body, list):
        raise BadInput(f"body: entities are an array or its text, this is a value of type {type(body).__name__}")
    by_id = {entity["$id"]: entity for entity in body if isinstance(entity, dict) and "$id" in entity}
    return [_named(by_id.get(entity.get("$ref"), entity)) for entity in body if isinstance(entity, dict)]


def _named(entity: Mapping[str, Any]) -> dict[str, Any]:
    folded = {name.lower(): value for name, value in entity.items()}
    kind = str(folded.get("type") or folded.get("kind") or "")
    inner = folded.get("properties")
    if isinstance(inner, Mapping):  # an incident's: its own `type` is the resource's
        kind = str(folded.get("kind") or kind)
    given = inner if isinstance(inner, Mapping) else entity
    left_out = ("type", "kind", "$id", "$ref")
    named = {_SPELLED.get(name.lower(), name): value for name, value in given.items() if name.lower() not in left_out}
    if named.get("HostName") and named.get("DnsDomain") and not named.get("FQDN"):
        named["FQDN"] = f"{named['HostName']}.{named['DnsDomain']}"
    return {"Type": kind, **named}


def _told(entity: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {**dict.fromkeys(fields), **entity}
