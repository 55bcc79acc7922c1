"""What is kept when things go wrong: backup while running, restore, and a release with the server dead."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.flows.company import Company
from tests.running import RunningServer

from guardship.cloud.azure.compute import AzureProvider

COMMAND = str(Path(sys.executable).with_name("guardship"))
ROW = {"TimeGenerated": "2026-11-24T03:00:00Z", "Computer": "web-1", "SyslogMessage": "kept"}


def guardship(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARDSHIP_")}
    environment["GUARDSHIP_HOME"] = str(home)
    return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_backup_taken_while_running_is_restored_whole(tmp_path: Path) -> None:
    home, other, file = tmp_path / "home", tmp_path / "other", tmp_path / "backup.tar"
    with RunningServer(home) as server, server.client() as api:
        token = api.post("ingest-tokens", json={"name": "t", "tables": ["Syslog"]}).json()["token"]
        with server.client(token) as source:
            assert source.post("ingest/Syslog", json=[ROW] * 100).json()["accepted"] == 100
        api.put("assets/variable/Greeting", json={"secrets": {"value": "sealed words"}})
        done = guardship(home, "database", "backup", str(file))
        assert done.returncode == 0, done.stderr
        api.post("tokens", json={"name": "after the backup"})
    assert b"sealed words" not in file.read_bytes()
    shutil.copytree(home / "keys", other / "keys")
    done = guardship(other, "database", "restore", str(file))
    assert done.returncode == 0, done.stderr
    with RunningServer(other) as server, server.client() as api:
        assert api.post("search", json={"query": "Syslog | where SyslogMessage == 'kept' | count"}).json()["rows"] == [[100]]
        assert [asset["name"] for asset in api.get("assets").json()] == ["Greeting"]
        assert api.get("tokens").json() == []
        assert api.get("audit/verification").json()["is_whole"]


def test_a_restore_replaces_nothing_without_being_told(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "backup.tar"
    with RunningServer(home):
        assert sorted(each.name for each in (home / "run").iterdir()) == ["jobs.sock", "lock", "seat", "server.json"]
        assert guardship(home, "database", "backup", str(file)).returncode == 0
        running = guardship(home, "database", "restore", str(file), "--force")
        assert running.returncode != 0
        assert "running" in running.stderr
    assert sorted(each.name for each in (home / "run").iterdir()) == ["lock", "seat"]
    assert guardship(home, "database", "restore", str(file)).returncode != 0
    assert guardship(home, "database", "restore", str(file), "--force").returncode == 0
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    refused = guardship(home, "database", "restore", str(tmp_path / "broken.tar"), "--force").stderr
    assert "broken.tar is not a backup: it is not a whole tar archive" in refused
    assert "guardship database backup FILE" in refused
    assert "No such file" in guardship(home, "database", "restore", str(tmp_path / "none.tar"), "--force").stderr


def test_with_the_server_dead_the_file_of_an_isolation_releases_the_machine(tmp_path: Path) -> None:
    with Company(tmp_path) as company:
        provider = AzureProvider(company.lab.client())
        before = provider.interfaces_of(provider.machine("web-1"))[0].group_id
        company.attack()
        company.verified_isolation()
        mistaken = guardship(company.server.home, "release", "nosuch")
        assert (mistaken.returncode, mistaken.stderr) == (
            3,
            "guardship: there is no isolated machine called nosuch\n  isolated are web-1\n",
        )
        company.server.kill()
        file = next((company.server.home / "isolations").glob("*-web-1.json"))
        assert json.loads(file.read_text())["undo"][0]["method"] == "PUT"
        done = guardship(company.server.home, "release", "--offline", file.name)
        assert done.returncode == 0, done.stderr
        assert provider.interfaces_of(provider.machine("web-1"))[0].group_id == before
        company.restart()
        assert company.isolations()[0]["state"] == "released", "the server found out"


def test_a_locked_out_person_gets_back_in_on_the_machine_itself(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with RunningServer(home) as server, server.visitor() as visitor:
        for _ in range(7):
            visitor.post("session", json={"name": "admin", "password": "wrong"})
        done = guardship(home, "admin", "reset", "admin")
        assert done.returncode == 0, done.stderr
        link = done.stdout.strip().rpartition("link=")[2]
        assert visitor.post("session/link", json={"token": link}).status_code == 200
        assert visitor.post("session/link", json={"token": link}).status_code == 401
        assert guardship(home, "audit", "verify").returncode == 0
        refused = guardship(home, "admin", "reset", "nobody").stderr
        assert "there is no user called nobody" in refused
        assert "there are: admin" in refused


def test_the_command_finds_a_changed_audit_log(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    home = tmp_path / "home"
    with RunningServer(home) as server, server.client() as api:
        for number in range(3):
            api.post("tokens", json={"name": f"t{number}"})
    with closing(sqlite3.connect(home / "guardship.db")) as connection:
        connection.execute("UPDATE identity_audit_entry SET who = 'user eve' WHERE number = 2")
        connection.commit()
    done = guardship(home, "audit", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["broken_at"] == 2
