"""What is kept and how: payloads, connections, fault points, the order of runs that wait."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.databases import opened_in

from guardship.clock import HeldClock
from guardship.playbooks.connections import Connections
from guardship.playbooks.dispatch.local import LocalDispatch
from guardship.playbooks.durations import read_duration
from guardship.playbooks.events import Event, EventKind, OutputNotJson, encode_payloads
from guardship.playbooks.fault_points import BadFaultPoint, FaultPoints, FaultRaised
from guardship.playbooks.payloads import Payloads
from guardship.storage.vault import Vault

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def kept(body: dict[str, Any], vault: Vault) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body as it lies on disk, and as it is read back."""
    payloads = Payloads(vault)
    made = payloads.encode("run_1", Event(EventKind.ACTION_STARTED, "A", 1, body, None, encode_payloads(body)), None)
    blobs = {orjson.loads(reference)["blob"]: blob for reference, blob in zip(made.references.values(), made.blobs, strict=False)}
    on_disk = orjson.loads(made.body)
    return on_disk, payloads.decode("run_1", on_disk, blobs.__getitem__)


def test_a_small_payload_lies_inline_and_a_large_one_apart(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "key")
    on_disk, read = kept({"attempt": 1, "inputs": {"a": 1}}, vault)
    assert on_disk == {"attempt": 1, "inputs_ref": {"inline": {"a": 1}}}
    assert read == {"attempt": 1, "inputs": {"a": 1}}
    on_disk, read = kept({"outputs": "x" * 9000}, vault)
    assert on_disk["outputs_ref"]["size"] == 9002
    assert len(on_disk["outputs_ref"]["preview"]) == 512
    assert read == {"outputs": "x" * 9000}


def test_the_secrets_of_a_call_are_masked_on_disk_and_whole_for_the_engine(tmp_path: Path) -> None:
    inputs = {"uri": "https://x", "authentication": {"type": "Basic", "username": "ada", "password": "p4ss"}}
    on_disk, read = kept({"inputs": inputs}, Vault.open(tmp_path / "key"))
    assert on_disk["inputs_ref"]["inline"]["authentication"] == {"type": "Basic", "username": "ada", "password": "***"}
    assert "p4ss" not in str(on_disk)
    assert read["inputs"] == inputs


def test_a_word_that_only_looks_like_authentication_is_kept_plain(tmp_path: Path) -> None:
    on_disk, _ = kept({"inputs": {"authentication": "none"}}, Vault.open(tmp_path / "key"))
    assert on_disk["inputs_ref"] == {"inline": {"authentication": "none"}}


def test_what_cannot_be_json_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(OutputNotJson):
        encode_payloads({"outputs": circle})


def test_connections_are_sealed_and_read_back(tmp_path: Path) -> None:
    database = opened_in(tmp_path)
    connections = Connections(database, Vault.open(tmp_path / "key"), HeldClock(NOW))
    assert connections.parameters("office365") == {}
    connections.put("Office365", {"host": "mail.example.org", "password": "p4ss"}, by="ada")
    assert connections.parameters("office365")["password"] == "p4ss"
    connections.put("office365", {"host": "other"}, by="ada")
    assert connections.parameters("OFFICE365") == {"host": "other"}
    assert [row.connector for row in connections.all()] == ["office365"]
    assert b"p4ss" not in connections.all()[0].sealed
    database.close()


def test_a_fault_point_acts_at_its_turn_only(monkeypatch: pytest.MonkeyPatch) -> None:
    points = FaultPoints("journal.commit:2:raise, lease.renew:1:sleep")
    points.hit("journal.commit")
    with pytest.raises(FaultRaised):
        points.hit("journal.commit")
    points.hit("journal.commit")
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    points.hit("lease.renew")
    assert slept == [1.0]


@pytest.mark.parametrize("spec", ["nowhere:1:kill", "journal.commit:x:kill", "journal.commit:1:explode", "journal.commit"])
def test_a_fault_point_that_does_not_exist_is_refused(spec: str) -> None:
    with pytest.raises(BadFaultPoint):
        FaultPoints(spec)


def order_of(wakes: list[tuple[str, int, str]]) -> list[str]:
    taken: list[str] = []
    dispatch = LocalDispatch(most_at_once=1)
    dispatch.wake("busy", 0, "none")
    dispatch.start(taken.append)
    for run_id, priority, playbook_id in wakes:
        dispatch.wake(run_id, priority, playbook_id)
    while len(taken) <= len({wake[0] for wake in wakes}):
        dispatch.finished(taken[-1])
    return taken[1:]


def test_severe_runs_go_first_and_playbooks_take_turns() -> None:
    flood = [(f"flood{number}", 10, "a") for number in range(4)]
    assert order_of([*flood, ("other", 10, "b"), ("severe", 30, "c")]) == ["severe", "flood0", "other", "flood1", "flood2", "flood3"]


def test_a_wake_that_comes_twice_or_while_the_run_is_worked_on_is_not_lost() -> None:
    taken: list[str] = []
    dispatch = LocalDispatch()
    dispatch.start(taken.append)
    dispatch.wake("r", 1, "a")
    dispatch.wake("r", 1, "a")
    assert taken == ["r"]
    dispatch.finished("r")
    assert taken == ["r", "r"]
    dispatch.stop()
    dispatch.wake("s", 1, "a")
    dispatch.wake("s", 1, "a")
    assert (taken, dispatch.waiting_count) == (["r", "r"], 1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT1H", 3600), ("P1DT2M", 86520), ("PT0.5S", 0.5), ("P1W", 604800), ("P", None), ("1H", None)]
)
def test_durations_are_read(text: str, seconds: float | None) -> None:
    assert read_duration(text) == seconds
