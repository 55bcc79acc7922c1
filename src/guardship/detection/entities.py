"""What an alert names: hosts, accounts, addresses and the like, in the published form.

    {"$id": "1", "Type": "host", "HostName": "web-1", "AzureID": "/subscriptions/…"}

Two entities are the same thing only where a strong identifier is equal: `web-1` alone may be two machines, an ARM id may not.
"""

import hashlib
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entity = dict[str, Any]
ResolveMachine = Callable[[str], str | None]

_TYPES = {
    "account": "account",
    "host": "host",
    "ip": "ip",
    "url": "url",
    "process": "process",
    "file": "file",
    "filehash": "filehash",
    "malware": "malware",
    "dns": "dns",
    "registrykey": "registry-key",
    "registryvalue": "registry-value",
    "azureresource": "azure-resource",
    "securitygroup": "security-group",
    "cloudapplication": "cloud-application",
    "mailbox": "mailbox",
    "mailmessage": "mail-message",
    "mailcluster": "mail-cluster",
}
_STRONG = {
    "account": (("Name", "UPNSuffix"), ("AadUserId",), ("Sid",), ("Name", "NTDomain"), ("Name", "DnsDomain"), ("PUID",), ("ObjectGuid",)),
    "host": (
        ("AzureID",),
        ("OMSAgentID",),
        ("HostName", "NTDomain"),
        ("HostName", "DnsDomain"),
        ("NetBiosName", "NTDomain"),
        ("NetBiosName", "DnsDomain"),
    ),
    "file": (("Name", "Directory"),),
    "filehash": (("Algorithm", "Value"),),
    "malware": (("Name", "Category"),),
    "azure-resource": (("ResourceId",),),
    "registry-key": (("Hive", "Key"),),
    "mailbox": (("MailboxPrimaryAddress",),),
    "security-group": (("DistinguishedName",), ("SID",), ("ObjectGuid",)),
    "mail-message": (("NetworkMessageId", "Recipient"),),
}
_WEAK = {"account": ("Name",), "host": ("HostName", "NetBiosName"), "dns": ("DomainName",), "file": ("Name",), "process": ("ProcessId",)}
_LABELS = (
    "HostName",
    "NetBiosName",
    "Address",
    "Name",
    "Url",
    "DomainName",
    "Value",
    "ResourceId",
    "CommandLine",
    "ProcessId",
    "Key",
    "MailboxPrimaryAddress",
    "Sid",
    "AadUserId",
)
# Names that every machine has say nothing about who it was.
_NOBODY = frozenset(
    [
        "admin",
        "administrator",
        "system",
        "root",
        "anonymous",
        "network",
        "null",
        "localsystem",
        "authenticated user",
        "local system",
        "network service",
    ]
)
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to say that two entities are the same: `host|azureid=/subscriptions/…`."""

    key: str
    is_strong: bool


@dataclass(frozen=True, slots=True)
class FieldMapping:
    identifier: str
    column: str


@dataclass(frozen=True, slots=True)
class EntityMapping:
    entity_type: str
    fields: tuple[FieldMapping, ...]


def known_type(entity_type: str) -> str | None:
    """The published `Type` of what a rule calls `Host`, `RegistryKey` or `Azure Resource`."""
    return _TYPES.get(entity_type.replace(" ", "").replace("-", "").lower())


def entities_of(mappings: Sequence[EntityMapping], records: Iterable[Mapping[str, Any]]) -> list[Entity]:
    """What these rows name, each thing once, numbered from "1"."""
    found: dict[str, Entity] = {}
    for record in records:
        for mapping in mappings:
            entity = _entity(mapping, record)
            if entity is not None:
                found.setdefault(json.dumps(entity, sort_keys=True), entity)
    return numbered(found.values())


def numbered(entities: Iterable[Mapping[str, Any]]) -> list[Entity]:
    return [
        {"$id": str(number), **{key: value for key, value in entity.items() if key != "$id"}}
        for number, entity in enumerate(entities, start=1)
    ]


def _entity(mapping: EntityMapping, record: Mapping[str, Any]) -> Entity | None:
    values = {field.identifier: record.get(field.column) for field in mapping.fields}
    kept = {name: value if isinstance(value, bool | int) else str(value) for name, value in values.items() if value not in (None, "")}
    if not kept:
        return None
    kind = known_type(mapping.entity_type) or mapping.entity_type.lower()
    full = kept.pop("FullName", None)
    if isinstance(full, str):
        kept = {**_split_name(kind, full), **kept}
    return {"Type": kind, **kept}


def _split_name(kind: str, full: str) -> dict[str, Any]:
    """`NORDHAFEN\\ada`, `ada@example.org`, `web-1.example.org` in their parts."""
    if kind == "account":
        domain, backslash, name = full.partition("\\")
        if backslash:
            return {"Name": name, "NTDomain": domain}
        name, at, suffix = full.partition("@")
        return {"Name": name, "UPNSuffix": suffix} if at else {"Name": full}
    if kind == "host":
        name, dot, domain = full.partition(".")
        return {"HostName": name, "DnsDomain": domain} if dot else {"HostName": full}
    return {"Name": full}


def with_machines(entities: Sequence[Entity], resolve_machine: ResolveMachine) -> list[Entity]:
    """Hosts that are machines of ours get the ARM id they have in the cloud."""
    result: list[Entity] = []
    for entity in entities:
        name = entity.get("HostName") or entity.get("NetBiosName")
        machine_id = resolve_machine(str(name)) if entity.get("Type") == "host" and name and not entity.get("AzureID") else None
        result.append({**entity, "AzureID": machine_id} if machine_id else entity)
    return result


def identities(entity: Mapping[str, Any]) -> list[Identity]:
    """All the ways this entity can be recognised; empty where its name says nothing."""
    kind = str(entity.get("Type", ""))
    if kind == "ip":
        return _address_identity(entity)
    if kind == "url":
        url = str(entity.get("Url", ""))
        return [Identity(f"url|{url}", "://" in url)] if url else []
    found = [
        Identity(_key(kind, entity, names), is_strong=True) for names in _STRONG.get(kind, ()) if all(entity.get(name) for name in names)
    ]
    for name in _WEAK.get(kind, ()):
        value = str(entity.get(name) or "").lower()
        if value and not (kind == "account" and not found and value in _NOBODY):
            found.append(Identity(f"{kind}|{name.lower()}={value}", is_strong=False))
    return found


def _key(kind: str, entity: Mapping[str, Any], names: Sequence[str]) -> str:
    return f"{kind}|" + "|".join(f"{name.lower()}={str(entity[name]).lower()}" for name in names)


def _address_identity(entity: Mapping[str, Any]) -> list[Identity]:
    """An address is one thing everywhere only where it is not private."""
    try:
        address = ipaddress.ip_address(str(entity.get("Address", "")))
    except ValueError:
        return []
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    is_private = any(address.version == network.version and address in network for network in _PRIVATE)
    scope = str(entity.get("AddressScope") or "")
    key = f"ip|address={address}" + (f"|scope={scope.lower()}" if is_private and scope else "")
    return [Identity(key, is_strong=not is_private or bool(scope))]


def label_of(entity: Mapping[str, Any]) -> str:
    """What people call it."""
    return next((str(entity[name]) for name in _LABELS if entity.get(name)), str(entity.get("Type", "entity")))


def compromised_entity(entities: Sequence[Mapping[str, Any]]) -> str:
    """The machine an alert is about, else the first thing it names."""
    hosts = [entity for entity in entities if entity.get("Type") == "host"]
    return label_of((hosts or list(entities))[0]) if entities else ""


def digest(entities: Sequence[Mapping[str, Any]]) -> str:
    """A short text that is equal for equal sets of entities; numbers and ARM ids, which may come later, do not count."""
    plain = sorted(
        json.dumps({key: value for key, value in entity.items() if key not in ("$id", "AzureID")}, sort_keys=True) for entity in entities
    )
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:32]
