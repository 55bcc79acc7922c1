"""Detection of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.detection.rooms import Detection, detecting


@pytest.fixture
def detection(tmp_path: Path) -> Iterator[Detection]:
    with detecting(tmp_path) as detection:
        yield detection
