"""A PostgreSQL for those that ask for one; it is not made for the others."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from tests.postgres.own_server import OwnServer

Servers: TypeAlias = Callable[[str], str]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The address of a server by its kind: "" for SQLite, which has none."""
    made: list[OwnServer] = []

    def of(kind: str) -> str:
        if kind == "sqlite":
            return ""
        if not made:
            made.append(OwnServer())
        return made[0].url()

    yield of
    for server in made:
        server.close()
