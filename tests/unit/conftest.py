"""What many of the units' tests stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import opened_in

from guardship.storage.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = opened_in(tmp_path, "g.db")
    yield database
    database.close()
