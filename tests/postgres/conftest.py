"""One PostgreSQL for all tests of this folder, and a database of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres.own_server import OwnServer, name_for

from guardship.storage.database import Database


@pytest.fixture(scope="session")
def server() -> Iterator[OwnServer]:
    server = OwnServer()
    yield server
    server.close()


@pytest.fixture
def url(server: OwnServer, tmp_path: Path) -> str:
    """Of a database with all tables."""
    return server.database(name_for(tmp_path))


@pytest.fixture
def empty_url(server: OwnServer, tmp_path: Path) -> str:
    return server.empty_database(name_for(tmp_path / "empty"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()
