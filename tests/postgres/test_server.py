"""The whole server on PostgreSQL: it starts, keeps what it is given, survives a kill, and is alone on its database."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.postgres.own_server import PASSWORD
from tests.running import RunningServer, until

from guardship.server.serving import AlreadyRunning, claim
from guardship.settings import Dispatching, Settings


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


@pytest.mark.parametrize("dispatch", ["procrastinate", "temporal"])
def test_a_dispatch_that_shares_runs_needs_postgresql(dispatch: str) -> None:
    with pytest.raises(ValidationError, match="set database_url"):
        Settings(dispatch=Dispatching(dispatch))


def test_a_server_runs_playbooks_by_procrastinate(tmp_path: Path, empty_url: str) -> None:
    pause = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}}
    document = {"definition": {"triggers": trigger, "actions": {"Pause": pause}}}
    with RunningServer(tmp_path / "home", database_url=empty_url, dispatch="procrastinate") as server, server.client() as client:
        draft = client.post("playbooks", json={"name": "pause", "document": json.dumps(document)})
        assert draft.status_code < 300, draft.text
        playbook_id = draft.json()[0]["playbook_id"]
        assert client.post(f"playbooks/{playbook_id}/publish").status_code < 300
        run = client.post(f"playbooks/{playbook_id}/run", json={})
        assert run.status_code < 300, run.text
        until(lambda: client.get(f"runs/{run.json()['run_ids'][0]}").json()["status"] == "Succeeded", seconds=30)
