from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.asking import with_connection
from tests.unit.connectors.test_http import LOOPBACK, served

from guardship.connectors.custom import custom_connector
from guardship.connectors.http import Http
from guardship.connectors.published_connector import PublishedConnector
from guardship.playbooks.connector import ConnectorRequest, Recovery


@dataclass(frozen=True)
class Operation:
    operation_id: str
    method: str
    path: str
    summary: str = ""


DESCRIBED = [
    Operation("one", "get", "/lists/{list-id}/{list-id}"),
    Operation("all", "get", "/lists/all/x"),
    Operation("", "post", "/lists/{1}"),
]


def firewall(http: Http, service: str = "", recordings: Path | None = None) -> PublishedConnector:
    return custom_connector("Firewall", "Our firewall", DESCRIBED, service_uri=service, http=http, recordings=recordings)


def test_operations_have_names_a_path_can_carry_and_the_narrow_ones_come_first() -> None:
    made = firewall(Http({}, LOOPBACK)).operations
    assert [(one.name, one.path) for one in made] == [
        ("all", "/lists/all/x"),
        ("POST /lists/{1}", "/lists/{_1}"),
        ("one", "/lists/{list_id}/{list_id2}"),
    ]
    assert [one.recovery for one in made] == [Recovery.RETRY, Recovery.ASK, Recovery.RETRY]


@pytest.mark.parametrize(
    ("connection", "header", "value"),
    [
        ({"token": "t"}, "Authorization", "Bearer t"),
        ({"username": "u", "password": "p"}, "Authorization", "Basic dTpw"),
        ({"api_key": "k", "api_key_header": "X-Own"}, "X-Own", "k"),
    ],
)
def test_the_service_is_entered_as_the_connection_says(connection: dict[str, str], header: str, value: str) -> None:
    async def work(http: Http, base: str) -> Any:
        echo = [Operation("echo", "get", "/echo")]
        connector = custom_connector("Firewall", "Our firewall", echo, service_uri=base, http=http)
        return await connector.call(ConnectorRequest("echo", "GET", "/echo", {}, {}, {}, None), with_connection(**connection))

    assert served(work).body["headers"][header] == value


def test_without_a_service_only_a_recording_answers(tmp_path: Path) -> None:
    made = firewall(Http({}, LOOPBACK), recordings=tmp_path)
    assert "no back end of ours has it" in str(made.missing("all", {}))
    assert made.missing("all", {"back_end": "replay"}) == "no recording of firewall holds an answer of all"
