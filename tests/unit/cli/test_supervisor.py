"""The command stays when what it was asked for over the pipe does not start."""

from pathlib import Path
from typing import Any

import pytest

from guardship.cli.supervisor import DidNotStart, Supervisor
from guardship.settings import Settings


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
