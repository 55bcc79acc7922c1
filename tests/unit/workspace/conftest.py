"""A workspace of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.workspace.rooms import Workspace, opened


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with opened(tmp_path) as workspace:
        yield workspace
