from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guardship.errors import NotFound
from guardship.storage.database import Database
from guardship.workspace import watchlists
from guardship.workspace.watchlists import BadWatchlist, Watchlist, rows_of_csv

AT = datetime(2026, 11, 24, 3, 14, tzinfo=UTC)
ROWS = [{"ip": "198.51.100.7", "why": "scanner"}, {"ip": "198.51.100.8", "why": "x"}]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "g.db")
    made.create_tables()
    yield made
    made.close()


def put(database: Database, rows: list[dict[str, Any]] | None = ROWS, key: str = "ip", **more: Any) -> Watchlist:
    with database.transaction() as session:
        return watchlists.put(session, "Scanners", rows, search_key=key, by="ada", at=AT, **more)


def values(database: Database) -> list[dict[str, Any]]:
    with database.reading() as session:
        return sorted((item.values for item in watchlists.items(session, "scanners")), key=str)


def test_a_list_is_found_by_its_alias_in_any_case(database: Database) -> None:
    put(database, display_name="Known scanners")
    with database.reading() as session:
        found = watchlists.get(session, "SCANNERS")
        assert (found.display_name, found.search_key, found.columns) == ("Known scanners", "ip", ["ip", "why"])
        assert watchlists.item_count(session, found) == 2


def test_a_list_that_is_put_again_has_the_new_items_alone(database: Database) -> None:
    put(database)
    put(database, [{"ip": "::1"}])
    assert values(database) == [{"ip": "::1"}]


def test_a_list_that_is_put_without_items_keeps_those_it_has(database: Database) -> None:
    put(database)
    put(database, None, description="new")
    assert values(database) == ROWS


def test_an_item_is_added_once_under_its_id(database: Database) -> None:
    put(database)
    for _ in range(2):
        with database.transaction() as session:
            watchlists.add_item(session, "scanners", {"ip": "::1", "more": "y"}, item_id="i1", by="ada", at=AT)
    assert len(values(database)) == 3
    with database.reading() as session:
        assert watchlists.get(session, "scanners").columns == ["ip", "why", "more"]


def test_an_item_without_the_column_it_is_looked_up_by_is_refused(database: Database) -> None:
    put(database)
    with pytest.raises(BadWatchlist, match="ip: an item of Scanners needs it"), database.transaction() as session:
        watchlists.add_item(session, "scanners", {"why": "y"}, item_id="i1", by="ada", at=AT)


def test_a_key_that_is_no_column_is_refused_and_the_columns_are_told(database: Database) -> None:
    with pytest.raises(BadWatchlist, match=r"itemsSearchKey: address .*ip, why"):
        put(database, key="address")


def test_a_list_that_is_removed_is_gone_with_its_items(database: Database) -> None:
    put(database)
    with database.transaction() as session:
        watchlists.remove(session, "scanners")
    with database.reading() as session, pytest.raises(NotFound, match="scanners"):
        watchlists.items(session, "scanners")


def test_rows_of_csv_have_the_names_of_the_header() -> None:
    assert rows_of_csv('\ufeffa note\nip, why\n::1,"a, b"\n\n::2\n', skip=1) == [{"ip": "::1", "why": "a, b"}, {"ip": "::2"}]


def test_a_line_with_too_many_values_is_named() -> None:
    with pytest.raises(BadWatchlist, match="line 3 has 2 values for 1 columns"):
        rows_of_csv("ip\n::1\n::2,x\n")
    with pytest.raises(BadWatchlist, match="no header"):
        rows_of_csv("")
