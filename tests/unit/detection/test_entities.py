"""Entities: how rows become them, and what makes two of them one thing."""

from typing import Any

import pytest

from guardship.detection.entities import EntityMapping, FieldMapping, entities_of, identities, known_type, label_of


def mapping(kind: str, **fields: str) -> EntityMapping:
    return EntityMapping(kind, tuple(FieldMapping(identifier, column) for identifier, column in fields.items()))


def test_rows_name_each_thing_once_with_a_number() -> None:
    mappings = [mapping("Host", HostName="Computer"), mapping("IP", Address="Source")]
    records: list[dict[str, Any]] = [
        {"Computer": "web-1", "Source": "203.0.113.66"},
        {"Computer": "web-1", "Source": ""},
        {"Computer": None},
    ]
    assert entities_of(mappings, records) == [
        {"$id": "1", "Type": "host", "HostName": "web-1"},
        {"$id": "2", "Type": "ip", "Address": "203.0.113.66"},
    ]


@pytest.mark.parametrize(
    ("kind", "full", "parts"),
    [
        ("Account", "NORDHAFEN\\ada", {"Name": "ada", "NTDomain": "NORDHAFEN"}),
        ("Account", "ada@example.org", {"Name": "ada", "UPNSuffix": "example.org"}),
        ("Account", "ada", {"Name": "ada"}),
        ("Host", "web-1.example.org", {"HostName": "web-1", "DnsDomain": "example.org"}),
        ("Host", "web-1", {"HostName": "web-1"}),
        ("File", "a.txt", {"Name": "a.txt"}),
    ],
)
def test_a_full_name_is_taken_apart(kind: str, full: str, parts: dict[str, str]) -> None:
    (entity,) = entities_of([mapping(kind, FullName="who")], [{"who": full}])
    assert entity == {"$id": "1", "Type": known_type(kind), **parts}


@pytest.mark.parametrize(
    ("entity", "strong"),
    [
        ({"Type": "host", "HostName": "web-1"}, []),
        ({"Type": "host", "AzureID": "/Sub/A"}, ["host|azureid=/sub/a"]),
        ({"Type": "host", "HostName": "Web-1", "DnsDomain": "example.org"}, ["host|hostname=web-1|dnsdomain=example.org"]),
        ({"Type": "account", "Sid": "S-1-5-21"}, ["account|sid=s-1-5-21"]),
        ({"Type": "ip", "Address": "203.0.113.66"}, ["ip|address=203.0.113.66"]),
        ({"Type": "ip", "Address": "::ffff:203.0.113.66"}, ["ip|address=203.0.113.66"]),
        ({"Type": "ip", "Address": "10.0.0.4"}, []),
        ({"Type": "ip", "Address": "10.0.0.4", "AddressScope": "Plant"}, ["ip|address=10.0.0.4|scope=plant"]),
        ({"Type": "ip", "Address": "fe80::1"}, []),
        ({"Type": "ip", "Address": "not one"}, []),
        ({"Type": "url", "Url": "https://e/x"}, ["url|https://e/x"]),
        ({"Type": "url", "Url": "/x"}, []),
        ({"Type": "url"}, []),
        ({"Type": "filehash", "Algorithm": "SHA256", "Value": "AB"}, ["filehash|algorithm=sha256|value=ab"]),
    ],
)
def test_strong_identifiers(entity: dict[str, str], strong: list[str]) -> None:
    assert [identity.key for identity in identities(entity) if identity.is_strong] == strong


def test_names_that_every_machine_has_identify_nobody() -> None:
    assert identities({"Type": "account", "Name": "root"}) == []
    assert [identity.key for identity in identities({"Type": "account", "Name": "ada"})] == ["account|name=ada"]


def test_an_entity_is_called_by_what_people_know() -> None:
    assert [label_of(entity) for entity in ({"HostName": "web-1"}, {"Address": "1.2.3.4"}, {"Type": "dns"}, {})] == [
        "web-1",
        "1.2.3.4",
        "dns",
        "entity",
    ]
