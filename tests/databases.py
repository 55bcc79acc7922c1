"""Where a test's database lies: SQLite in the test's folder, or, with `GUARDSHIP_TEST_POSTGRES`, a database on that server.

Tests that are given their database by `place_in` run on both; tests/postgres runs them again on PostgreSQL.
"""

import os
from pathlib import Path

import pytest

from guardship.storage.database import Database

SERVER = os.environ.get("GUARDSHIP_TEST_POSTGRES", "")


_opened: list[Database] = []


def place_in(folder: Path, name: str = "guardship.db", *, server: str = SERVER) -> Path | str:
    if not server:
        return folder / name
    from sqlalchemy.engine import make_url
    from tests.postgres.own_server import made_of, name_for

    database = name_for(folder / name)
    made_of(server, database)
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def opened_in(folder: Path, name: str = "guardship.db") -> Database:
    """With all its tables."""
    database = Database(place_in(folder, name))
    if SERVER:
        _opened.append(database)
    else:
        database.create_tables()
    return database


def close_all() -> None:
    """SQLite's files go with their folder; a server's connections would be missed by the tests after."""
    while _opened:
        _opened.pop().close()


def demand_sqlite() -> None:
    """For tests of what only SQLite's file has."""
    if SERVER:
        pytest.skip("it is about SQLite")
