from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.asking import ask, reason_of, request_for
from tests.unit.detection.rooms import ADDRESS

from guardship.clock import SystemClock
from guardship.connectors.sentinel import Sentinel
from guardship.playbooks.connector import ConnectorResponse
from guardship.storage.database import Database

LIST = {"displayName": "Scanners", "itemsSearchKey": "ip", "rawContent": "ip,why\n::1,x\n", "sourceType": "Local file"}


class Lists:
    def __init__(self, database: Database) -> None:
        self._end = Sentinel(database, ADDRESS, SystemClock()).back_end()

    def ask(self, operation: str, body: Any = None) -> ConnectorResponse:
        return ask(self._end, request_for("azuresentinel", operation, body, watchlist="scanners"))


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Lists]:
    database = Database(tmp_path / "g.db")
    database.create_tables()
    yield Lists(database)
    database.close()


def test_a_watchlist_is_made_read_added_to_and_deleted(lists: Lists) -> None:
    assert lists.ask("put_watchlist", LIST).body["properties"]["numberOfItems"] == 1
    item = lists.ask("add_watchlist_item", {"ip": "::2", "why": "y"})
    assert item.body["properties"]["itemsKeyValue"] == {"ip": "::2", "why": "y"}
    assert lists.ask("add_watchlist_item", {"ip": "::2", "why": "y"}).body == item.body  # the same call again, after a crash
    found = lists.ask("get_watchlist").body
    assert found["id"] == f"{ADDRESS.arm_id}/providers/Microsoft.SecurityInsights/Watchlists/scanners"
    assert (found["properties"]["displayName"], found["properties"]["numberOfItems"]) == ("Scanners", 2)
    assert lists.ask("delete_watchlist").status_code == 204
    assert lists.ask("get_watchlist").status_code == 404


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("put_watchlist", {"displayName": "x"}, "itemsSearchKey: field required"),
        ("put_watchlist", {**LIST, "itemsSearchKey": "address"}, "itemsSearchKey: address"),
        ("put_watchlist", {**LIST, "numberOfLinesToSkip": "many"}, "numberOfLinesToSkip"),
        ("put_watchlist", {**LIST, "rawContent": "ip\na,b\n"}, "rawContent: line 2"),
        ("add_watchlist_item", "text", "body"),
    ],
)
def test_a_wrong_call_names_the_field(lists: Lists, operation: str, body: Any, field: str) -> None:
    assert field in reason_of(lists.ask(operation, body))


def test_an_item_for_a_list_that_is_not_there_is_a_404(lists: Lists) -> None:
    assert lists.ask("add_watchlist_item", {"ip": "::1"}).status_code == 404
