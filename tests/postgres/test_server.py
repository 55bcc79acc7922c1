"""The whole server on PostgreSQL: it starts, keeps what it is given, survives a kill, and is alone on its database."""

from pathlib import Path

import pytest
from tests.postgres.own_server import PASSWORD
from tests.running import RunningServer

from guardship.server.serving import AlreadyRunning, claim


def test_a_server_keeps_what_it_is_given_through_a_kill(tmp_path: Path, empty_url: str) -> None:
    with RunningServer(tmp_path / "home", database_url=empty_url) as server:
        with server.client() as client:
            made = client.post("ingest-tokens", json={"name": "syslog", "tables": ["Syslog"], "days": 1})
            assert made.status_code < 300, made.text
            before = client.get("ingest-tokens").json()
        server.kill()
        server.start()
        with server.client() as client:
            assert client.get("ingest-tokens").json() == before
            assert client.get("audit/verification").json()["is_whole"]
        assert not (tmp_path / "home/guardship.db").exists()
        log = (tmp_path / "home/server.log").read_text()
    assert PASSWORD not in log


def test_a_second_server_on_the_same_database_is_refused(url: str) -> None:
    first = claim(url)
    with pytest.raises(AlreadyRunning, match="already running on postgresql://") as caught:
        claim(url)
    assert PASSWORD not in str(caught.value)
    first.close()  # type: ignore[attr-defined]  # a connection
    claim(url).close()  # type: ignore[attr-defined]
