"""Nothing of a lab is left when it stops or when its command is killed; and it starts from where others may not look."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.hosts import demand_root
from tests.unit.lab.laboratory import SOURCE, Laboratory

COMMANDER = SOURCE.parent / "tests" / "unit" / "lab" / "commander.py"
needs_root = pytest.mark.usefixtures("as_root")


def namespaces_of(pids: list[int]) -> set[str]:
    return {str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in pids}


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()]


def used_namespaces() -> set[str]:
    found = set()
    for place in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(str(place.readlink()))
        except OSError:
            continue
    return found


def assert_gone(pids: list[int], namespaces: set[str]) -> None:
    deadline = time.monotonic() + 5
    while (living(pids) or used_namespaces() & namespaces) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert living(pids) == []
    assert used_namespaces() & namespaces == set()


def pids_of(ready: dict[str, Any]) -> list[int]:
    return [int(ready["pid"]), *(int(pid) for pid in ready["pids"].values())]


def start_commander(*arguments: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    command = subprocess.Popen(
        [sys.executable, str(COMMANDER), *arguments], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    assert command.stdout
    told = []
    for line in command.stdout:
        told.append(line)
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "ready":
            return command, event | {"told": told}
    raise AssertionError(f"the lab did not get ready: {told}")


@pytest.fixture
def mounts() -> list[str]:
    return Path("/proc/self/mounts").read_text().splitlines()


def test_a_stopped_lab_leaves_no_process_and_no_namespace(tmp_path: Path, mounts: list[str]) -> None:
    with Laboratory(tmp_path) as lab:
        pids = pids_of(lab.ready)
        own = namespaces_of([os.getpid()])
        namespaces = namespaces_of(pids) - own
        lab.attack()
    assert lab.process.returncode == 0
    assert lab.events[-1]["event"] == "stopped"
    assert_gone(pids, namespaces)
    assert Path("/proc/self/mounts").read_text().splitlines() == mounts


def test_the_end_of_the_orders_stops_the_lab(tmp_path: Path) -> None:
    with Laboratory(tmp_path) as lab:
        assert lab.process.stdin
        lab.process.stdin.close()
        assert lab.process.wait(5) == 0


@pytest.mark.parametrize("user", [pytest.param([], id="as started"), pytest.param(["65534"], id="ordinary user")])
def test_a_killed_command_leaves_nothing_of_its_lab(tmp_path: Path, user: list[str]) -> None:
    if user:
        demand_root()
    command, ready = start_commander(str(tmp_path), *user)
    pids = pids_of(ready)
    namespaces = namespaces_of(pids) - namespaces_of([os.getpid()])
    assert len(living(pids)) == len(pids)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    assert_gone(pids, namespaces)
    assert command.stdout
    command.stdout.close()


@needs_root
def test_a_lab_started_as_root_runs_as_its_own_uid_without_privileges(tmp_path: Path) -> None:
    with Laboratory(tmp_path) as lab:
        for pid in pids_of(lab.ready):
            status = Path(f"/proc/{pid}/status").read_text()
            assert "\nUid:\t60099\t60099\t60099\t60099\n" in status
            assert "\nNoNewPrivs:\t1\n" in status


@needs_root
def test_a_lab_runs_from_a_clone_that_only_root_may_enter(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    code = home / "clone" / "src"
    shutil.copytree(SOURCE / "guardship", code / "guardship", ignore=shutil.ignore_patterns("__pycache__", "static"))
    for folder, folders, files in os.walk(home):
        for name in folders:
            (Path(folder) / name).chmod(0o700)
        for name in files:
            (Path(folder) / name).chmod(0o600)
    lab = subprocess.Popen(
        [sys.executable, "-m", "guardship.lab"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=code, env={"PATH": os.environ["PATH"]}
    )
    assert lab.stdin
    assert lab.stdout
    lab.stdin.write(json.dumps({"ca_dir": str(home / "ca")}).encode() + b"\n")
    lab.stdin.flush()
    ready = json.loads(lab.stdout.readline())
    told, _ = lab.communicate(b'{"do": "stop"}\n', timeout=10)
    assert ready["event"] == "ready"
    assert ready["data_plane"] == "packets"
    assert b'"stopped"' in told


@needs_root
def test_where_the_host_refuses_namespaces_the_lab_says_why_and_plays_simulated(tmp_path: Path) -> None:
    command, ready = start_commander(str(tmp_path), "65534", "refused")
    command.kill()
    command.wait()
    assert command.stdout
    command.stdout.close()
    simulated = json.loads(ready["told"][0])
    assert simulated["event"] == "simulated"
    assert "max_user_namespaces = 0" in simulated["why"]
    assert ready["data_plane"] == "simulated"
    assert ready["pids"] == {}


@needs_root
def test_a_root_that_may_not_mount_drops_its_uid_and_plays_simulated(tmp_path: Path) -> None:
    command, ready = start_commander(str(tmp_path), "weak")
    status = Path(f"/proc/{ready['pid']}/status").read_text()
    command.kill()
    command.wait()
    assert command.stdout
    command.stdout.close()
    assert "\nUid:\t60099\t60099\t60099\t60099\n" in status
    assert ready["data_plane"] == "simulated"
    assert "may not make a root of its own" in json.loads(ready["told"][0])["why"]
