"""kill -9 at every fault point and at random moments, on SQLite and on PostgreSQL: every run ends as it would have, no effect is twice.

On PostgreSQL `GUARDSHIP_PROVE=1` kills at every fault point; without it at a seeded choice of them.
"""

import os
import random
import time
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.chaos.conftest import Servers
from tests.unit.playbooks.crashing import finish, last_words, outcome, start

POINTS = (
    "accept.before_commit:2",
    "accept.after_commit:2",
    "journal.commit:5",
    "intent.after_commit:1",
    "intent.after_commit:3",
    "call.before_send:2",
    "call.after_send:1",
    "call.after_send:4",
    "result.before_commit:4",
    "result.after_commit:4",
    "turn.before_release:1",
    "timer.after_fire:1",
    "dispatch.wake:3",
)
COUNT = 6
PROVE = os.environ.get("GUARDSHIP_PROVE") == "1"
SEED = 20261124
ON_POSTGRES = POINTS if PROVE else tuple(random.Random(SEED).sample(POINTS, 4))
PLACES = [*[("sqlite", point) for point in POINTS], *[("postgresql", point) for point in ON_POSTGRES]]


@cache
def undisturbed(count: int) -> dict[str, Any]:
    with TemporaryDirectory(prefix="undisturbed-") as home:
        finish(Path(home), count)
        return outcome(Path(home))


def assert_as_undisturbed(home: Path, count: int, server: str = "") -> None:
    found, wanted = outcome(home, server=server), undisturbed(count)
    assert found["runs"] == wanted["runs"]
    for name in ("put", "send"):  # probed, or asked about: never twice
        times = Counter(deed["key"] for deed in found["deeds"] if deed["name"] == name)
        assert set(times.values()) == {1}, name
        assert len(times) == len({deed["key"] for deed in wanted["deeds"] if deed["name"] == name})
    again = {deed["key"] for deed in found["deeds"] if deed["name"] == "again"}  # may repeat, under the same key
    assert len(again) == len({deed["key"] for deed in wanted["deeds"] if deed["name"] == "again"})


@pytest.mark.parametrize(("place", "point"), PLACES)
def test_a_kill_at_a_fault_point_changes_nothing_in_the_end(tmp_path: Path, servers: Servers, place: str, point: str) -> None:
    print(f"{len(POINTS)} fault points on SQLite, {len(ON_POSTGRES)} on PostgreSQL, seed {SEED}")
    server = servers(place)
    process = start(tmp_path, COUNT, f"{point}:kill", server=server)
    try:
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -9, "the fault point was not reached"
    finish(tmp_path, COUNT, server=server)
    assert_as_undisturbed(tmp_path, COUNT, server)


def kill_at_random(home: Path, count: int, kills: int, seed: int, server: str) -> None:
    choose = random.Random(seed)
    acknowledged: set[str] = set()
    for _ in range(kills):
        process = start(home, count, server=server)
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            time.sleep(choose.uniform(0.0, 0.6))
        finally:
            process.kill()
            out, _ = process.communicate(timeout=30)
        acknowledged |= {line.split()[1] for line in out.splitlines() if line.startswith("accepted ")}
        if "done" in out.splitlines():
            break
    finish(home, count, server=server)
    assert acknowledged <= outcome(home, server=server)["runs"].keys()


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_random_kills_change_nothing_in_the_end(tmp_path: Path, servers: Servers, place: str) -> None:
    kill_at_random(tmp_path, 30, 5, 1, servers(place))
    assert_as_undisturbed(tmp_path, 30, servers(place))


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("place", ["sqlite", "postgresql"] if PROVE else ["sqlite"])
def test_thirty_random_kills_change_nothing_in_the_end(tmp_path: Path, servers: Servers, place: str, seed: int) -> None:
    kill_at_random(tmp_path, 200, 5, seed, servers(place))
    assert_as_undisturbed(tmp_path, 200, servers(place))


def test_a_journal_that_cannot_commit_acknowledges_nothing_and_goes_on_later(tmp_path: Path) -> None:
    process = start(tmp_path, COUNT, "journal.commit:4:raise")
    out, err = last_words(process)
    if process.returncode != 0:  # the accept that met the fault was refused, as a caller would see a 503
        assert "JournalUnavailable" in err
        finish(tmp_path, COUNT)
    else:
        assert "done" in out.splitlines()
    assert_as_undisturbed(tmp_path, COUNT)
