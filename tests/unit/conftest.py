"""What many of the units' tests stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardship.storage.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "g.db")
    database.create_tables()
    yield database
    database.close()
