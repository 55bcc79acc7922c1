"""The command stays when what it was asked for over the pipe does not start."""

from pathlib import Path
from typing import Any

import pytest

from guardship.cli.child import Message, Taker
from guardship.cli.supervisor import MOST_FALLS, DidNotStart, Supervisor
from guardship.settings import Settings

Script = dict[str, Message]  # what it says when it starts, and to each word it is sent


class Lab:
    pid = 7
    is_alive = True
    is_stopped = False

    def stop(self, *, grace_seconds: float) -> None:
        self.is_stopped = True


def test_a_demo_that_does_not_start_when_the_button_is_pressed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    supervisor = Supervisor(Settings(home=tmp_path), tell=told.append)
    lab = Lab()
    supervisor._lab = lab  # type: ignore[assignment]  # as much of a child as is asked

    def fail(_: Any) -> Any:
        raise DidNotStart("the lab did not start: port 24445 is taken")

    monkeypatch.setattr(supervisor, "play", fail)
    supervisor._put("server", {"event": "start_demo"})
    assert supervisor.attend(until=lambda: bool(told), seconds=5, told=lambda _: None)
    assert "port 24445 is taken" in told[0]
    assert lab.is_stopped
    assert supervisor._lab is None, "the next press starts a new one"


def test_a_second_press_while_the_lab_starts_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(Settings(home=tmp_path), tell=lambda _: None)
    presses: list[int] = []

    def press_again(told: Any) -> Any:
        presses.append(1)
        supervisor._take("server", {"event": "start_demo"}, told)

    monkeypatch.setattr(supervisor, "_play", press_again)
    supervisor._take("server", {"event": "start_demo"}, lambda _: None)
    assert presses == [1]


def test_the_end_of_an_old_lab_does_not_touch_the_new_one(tmp_path: Path) -> None:
    supervisor = Supervisor(Settings(home=tmp_path), tell=lambda _: None)
    supervisor._lab = Lab()  # type: ignore[assignment]  # as much of a child as is asked
    supervisor._take("lab", {"event": "ended", "code": 0, "pid": 6}, lambda _: None)
    assert supervisor._lab is not None


class Scripted:
    """A child that answers as its script says."""

    count = 0

    def __init__(self, take: Taker, script: Script) -> None:
        Scripted.count += 1
        self.pid = Scripted.count
        self.is_alive = True
        self._take = take
        self._script = script
        self._follow("start")

    def send(self, message: Message) -> bool:
        self._follow(message["do"])
        return True

    def stop(self, *, grace_seconds: float) -> None:
        self.is_alive = False

    def _follow(self, word: str) -> None:
        if answer := self._script.get(word):
            self._take("server", answer | {"pid": self.pid})


READY = {"event": "ready", "url": "u", "local_url": "u"}
DEAD = {"event": "ended", "code": -9}
GOOD: Script = {"start": READY, "prepare_lab": {"event": "lab_prepared", "tokens": {}}, "connect_lab": {"event": "lab_connected"}}


def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], *scripts: Script) -> tuple[Supervisor, list[Script]]:
    """A supervisor whose servers follow the scripts in turn; what is left of them tells how many were started."""
    supervisor, left = Supervisor(Settings(home=tmp_path), tell=told.append), list(scripts)
    monkeypatch.setattr(supervisor, "_listen", lambda: None)
    monkeypatch.setattr(supervisor, "_child", lambda name, module: Scripted(supervisor._put, left.pop(0)))
    return supervisor, left


def test_a_server_that_falls_while_it_prepares_the_lab_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    supervisor, left = supervised(tmp_path, monkeypatch, told, {"start": READY, "prepare_lab": DEAD}, GOOD)
    supervisor.start_server()
    supervisor._put("server", {"event": "start_demo"})
    assert supervisor.attend(until=lambda: len(told) == 2, seconds=5, told=lambda _: None)
    assert left == []
    assert "is started again" in told[0]
    assert "The demo did not start" in told[1]


def test_a_server_that_only_says_no_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    no = {"event": "failed", "why": "no token could be made"}
    supervisor, _ = supervised(tmp_path, monkeypatch, told, {"start": READY, "prepare_lab": no})
    supervisor.start_server()
    supervisor._put("server", {"event": "start_demo"})
    assert supervisor.attend(until=lambda: bool(told), seconds=5, told=lambda _: None)
    assert told == [f"The demo did not start: the server did not start: no token could be made (its log is {tmp_path / 'server.log'})"]


def test_a_server_that_falls_again_while_it_starts_is_started_until_it_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    dead = {"start": DEAD}
    supervisor, left = supervised(tmp_path, monkeypatch, told, GOOD, dead, dead, GOOD)
    supervisor.start_server()
    supervisor._put("server", DEAD | {"pid": Scripted.count})
    assert supervisor.attend(until=lambda: not left, seconds=5, told=lambda _: None)
    assert len(told) == 3


def test_a_server_that_never_comes_up_is_given_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, left = supervised(tmp_path, monkeypatch, [], GOOD, *[{"start": DEAD}] * 10)
    supervisor.start_server()
    supervisor._put("server", DEAD | {"pid": Scripted.count})
    with pytest.raises(DidNotStart, match="too often"):
        supervisor.attend(until=lambda: False, seconds=5, told=lambda _: None)
    assert len(left) == 10 - MOST_FALLS
