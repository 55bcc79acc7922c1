"""`guardship demo` and `up` as a new user types them: what they print, and that nothing of them is left behind."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import COMMAND, command_up, environment_for
from tests.running import until

from guardship.cli.local_server import LocalServer
from guardship.sandbox.watchdog import tree_of


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_for(tmp_path / "home")


def ours(home: str) -> list[int]:
    """Processes of this data folder: the command's, the server's, the lab's and its machines', jobs'."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if home.encode() in (entry / "environ").read_bytes() or home.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def namespaces(pids: list[int]) -> set[str]:
    """Network namespaces that these processes are in."""
    found = set()
    for pid in pids:
        try:
            found.add(str(Path(f"/proc/{pid}/ns/net").readlink()))
        except OSError:
            continue
    return found


def everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


@pytest.fixture
def nothing_left(environment: dict[str, str]) -> Iterator[None]:
    """Watches which namespaces the command's processes make; afterwards there is no such process and nobody in such a namespace."""
    host, seen, is_over = namespaces([os.getpid()]), set[str](), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            seen.update(namespaces([each for pid in ours(environment["GUARDSHIP_HOME"]) for each in tree_of(pid)]))

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    is_over.set()
    watching.join()
    until(lambda: not ours(environment["GUARDSHIP_HOME"]), seconds=10)
    assert len(seen - host) >= 4, "the lab's machines were not seen"
    until(lambda: not (seen - host) & namespaces(everybody()), seconds=5)


def test_the_demo_proves_the_cut_and_releases_and_leaves_nothing(environment: dict[str, str], nothing_left: None) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--json", "--release"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["contained"] is True
    assert {result[name] for name in ("new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")} == {"verified"}
    assert set(result["seconds"]) == {"first_packet_to_alert", "alert_to_last_packet", "put_to_last_packet"}
    assert None not in result["seconds"].values()
    assert "/incidents/inc_" in result["incident_url"]
    assert "/runs/run_" in result["run_url"]
    assert {"at", "what", "detail"} == set(result["timeline"][0])


def test_where_the_session_lives_on_the_demo_does_not_lie(environment: dict[str, str], nothing_left: None) -> None:
    command = [*COMMAND, "demo", "--once", "--json", "--mode", "azure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert (result["contained"], result["live_sessions_cut"], result["new_connections_blocked"]) == (False, "failed", "verified"), result


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_nothing_is_left_however_the_command_ends(
    environment: dict[str, str], nothing_left: None, end: signal.Signals, tmp_path: Path
) -> None:
    log = (tmp_path / "out.txt").open("w+")
    with command_up(environment, log) as command:
        try:
            until(lambda: "is cut off" in Path(log.name).read_text() or command.poll() is not None, seconds=90)
            assert command.poll() is None, Path(log.name).read_text()
        finally:
            command.send_signal(end)
    text = Path(log.name).read_text()
    log.close()
    assert "/sign-in?link=" in text
    assert "first hostile packet to alert" in text
    time.sleep(0.2)


def test_the_consoles_button_plays_the_story_again(environment: dict[str, str], tmp_path: Path) -> None:
    log = (tmp_path / "out.txt").open("w+")
    with command_up(environment, log) as command:
        try:
            until(lambda: "stays up" in Path(log.name).read_text() or command.poll() is not None, seconds=90)
            server = LocalServer.find(Path(environment["GUARDSHIP_HOME"]))
            first = server.ask("GET", "isolations")
            server.ask("POST", "demo")
            again = until(
                lambda: (found := server.ask("GET", "isolations"))[0]["number"] == 2 and found[0]["verified_at"] and found, seconds=40
            )
        finally:
            command.send_signal(signal.SIGINT)
    log.close()
    assert [each["number"] for each in first] == [1]
    assert again[0]["live_sessions_cut"] == "verified"
    assert again[1]["state"] == "released"


def test_a_second_server_on_the_same_data_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    from tests.running import RunningServer

    with RunningServer(Path(environment["GUARDSHIP_HOME"])):
        done = subprocess.run([*COMMAND, "demo", "--once"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "already running" in done.stderr
    assert "GUARDSHIP_HOME" in done.stderr


def test_release_without_a_server_says_so(environment: dict[str, str]) -> None:
    done = subprocess.run([*COMMAND, "release", "web-1"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "no server runs" in done.stderr


def test_a_setting_that_cannot_be_is_named(environment: dict[str, str]) -> None:
    wrong = environment | {"GUARDSHIP_LISTEN_PORT": "high"}
    done = subprocess.run([*COMMAND, "up"], env=wrong, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "listen_port" in done.stderr


def test_a_data_folder_that_cannot_be_used_is_named_in_two_lines(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for home in (tmp_path / "file", Path("/proc/guardship")):
        wrong = environment | {"GUARDSHIP_HOME": str(home)}
        done = subprocess.run([*COMMAND, "up"], env=wrong, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert f"the data folder {home} cannot be used" in done.stderr
        assert len(done.stderr.splitlines()) == 2


def test_a_port_of_the_lab_that_is_taken_is_named_with_its_setting(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = environment | {"GUARDSHIP_LAB_MAIL_PORT": str(port)}
        done = subprocess.run([*COMMAND, "demo", "--once"], env=wrong, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in done.stderr
    assert "set GUARDSHIP_LAB_MAIL_PORT to another" in done.stderr
