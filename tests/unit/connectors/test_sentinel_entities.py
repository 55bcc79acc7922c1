import json
from typing import Any

import pytest
from tests.unit.connectors.asking import ask, reason_of, request_for

from guardship.connectors.acting import Acting
from guardship.connectors.sentinel_entities import entity_acts

HOST = {"$id": "1", "Type": "host", "HostName": "web-1", "DnsDomain": "example.org", "AzureID": "/vm"}
ALERT = [
    HOST,
    {"$id": "2", "Type": "ip", "Address": "198.51.100.7"},
    {"$id": "3", "Type": "account", "Name": "ada", "UPNSuffix": "example.org"},
    {"$id": "4", "Type": "url", "Url": "http://example.net/a"},
    {"$id": "5", "Type": "filehash", "Value": "ab", "Algorithm": "SHA256"},
    {"$id": "6", "Type": "dns", "DomainName": "example.net"},
    {"$ref": "2"},
]
INCIDENT = [{"kind": "Ip", "type": "Microsoft.SecurityInsights/Entities", "properties": {"address": "198.51.100.7", "friendlyName": "f"}}]


def taken(operation: str, body: Any) -> Any:
    return ask(Acting("azuresentinel", entity_acts()), request_for("azuresentinel", operation, body)).body


@pytest.mark.parametrize(
    "body", [ALERT, json.dumps(ALERT), [{k.lower(): v for k, v in each.items()} for each in ALERT], {"Entities": ALERT}]
)
def test_addresses_are_found_in_every_form_an_alert_has(body: Any) -> None:
    assert [each["Address"] for each in taken("get_ips", body)["IPs"]] == ["198.51.100.7", "198.51.100.7"]


def test_an_incidents_entities_have_the_same_names() -> None:
    assert taken("get_ips", INCIDENT) == {"IPs": [{"Address": "198.51.100.7", "Type": "Ip", "FriendlyName": "f"}]}


def test_a_host_has_its_whole_name_and_null_for_what_is_not_known() -> None:
    (host,) = taken("get_hosts", ALERT)["Hosts"]
    assert (host["FQDN"], host["AzureID"], host["MdatpDeviceId"]) == ("web-1.example.org", "/vm", None)


@pytest.mark.parametrize(
    ("operation", "name", "field", "value"),
    [
        ("get_accounts", "Accounts", "UPNSuffix", "example.org"),
        ("get_urls", "URLs", "Url", "http://example.net/a"),
        ("get_file_hashes", "Filehashes", "Value", "ab"),
        ("get_dns", "Dnsresolutions", "DomainName", "example.net"),
    ],
)
def test_every_kind_has_its_list(operation: str, name: str, field: str, value: str) -> None:
    assert [each[field] for each in taken(operation, ALERT)[name]] == [value]


def test_alerts_of_an_incident_are_told_with_their_properties() -> None:
    alerts = [{"kind": "SecurityAlert", "properties": {"systemAlertId": "7c0d"}}]
    assert [each["systemAlertId"] for each in taken("get_alerts", alerts)["Alerts"]] == ["7c0d"]


def test_no_entities_are_an_empty_list() -> None:
    assert taken("get_ips", None) == {"IPs": []}
    assert taken("get_ips", "[]") == {"IPs": []}


@pytest.mark.parametrize("body", ["not json", 7])
def test_what_are_no_entities_is_refused_naming_the_body(body: Any) -> None:
    answer = ask(Acting("azuresentinel", entity_acts()), request_for("azuresentinel", "get_ips", body))
    assert reason_of(answer).startswith("body: ")
