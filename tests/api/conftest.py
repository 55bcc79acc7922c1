"""One server for all API tests of a session; each test brings its own things."""

from collections.abc import Iterator

import httpx
import pytest
from tests.running import RunningServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server") / "home") as server:
        yield server


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    """As the command on this machine: admin."""
    with server.client() as client:
        yield client
