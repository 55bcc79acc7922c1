"""The failure tests of the engine, the same on every pair of journal and dispatch: inside one process on SQLite, by Procrastinate with two
workers on PostgreSQL, by Temporal with two workers. PostgreSQL and Temporal are real, and so are the deaths.

`GUARDSHIP_PROVE=1` runs them in full; without it with few runs, few kills and a seeded choice of the fault points, which is printed.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.chaos.test_postgres_away import no_epoch_comes_back
from tests.chaos.test_runner_crash import POINTS, assert_as_undisturbed
from tests.conformance.engine.temporal_server import TemporalServer
from tests.postgres.own_server import OwnServer
from tests.running import until
from tests.unit.playbooks.crashing import last_words, outcome, start

PROVE = os.environ.get("GUARDSHIP_PROVE") == "1"
SEED = 20261124
KINDS = ("local", "procrastinate", "temporal")
CHOSEN = POINTS if PROVE else tuple(random.Random(SEED).sample(POINTS, 2))
RUNS = 12
RUNS_IN_FLIGHT, KILLS = (200, 30) if PROVE else (24, 4)
LEASE_SECONDS = 30


@dataclass(frozen=True)
class Engine:
    """One kind of dispatch, on a folder and a database of its own."""

    kind: str
    home: Path
    server: str
    dispatching: str

    @property
    def seats(self) -> tuple[str, ...]:
        return ("seat_a/",) if self.kind == "local" else ("seat_a/", "seat_b/")

    def start(self, seat: str, count: int, fault_points: str = "") -> "subprocess.Popen[str]":
        return start(self.home, count, fault_points, server=self.server, seat=seat, dispatching=self.dispatching)

    def finish(self, workers: dict[str, "subprocess.Popen[str]"], count: int) -> None:
        """Until all that live have said that everything ended; those that were taken out live once more."""
        for seat in self.seats:
            if seat not in workers:
                workers[seat] = self.start(seat, count)
        for process in workers.values():
            out, err = last_words(process)
            assert process.returncode == 0, err[-3000:]
            assert "done" in out.splitlines()


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnServer]:
    server = OwnServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    server = TemporalServer(tmp_path_factory.mktemp("temporal"))
    yield server
    server.close()


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    kind: str = request.param
    if kind == "local":
        return Engine(kind, tmp_path, "", "")
    server: OwnServer = request.getfixturevalue("postgres")
    if kind == "procrastinate":
        return Engine(kind, tmp_path, server.url(), kind)
    temporal: TemporalServer = request.getfixturevalue("temporal")
    return Engine(kind, tmp_path, server.url(), f"temporal {temporal.address} {tmp_path.name}")


@pytest.fixture
def workers() -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """By their seats; none outlives the test."""
    workers: dict[str, subprocess.Popen[str]] = {}
    yield workers
    for process in workers.values():
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


def kill(process: "subprocess.Popen[str]") -> set[str]:
    """The keys of what it had acknowledged."""
    process.kill()
    out, _ = process.communicate(timeout=30)
    return {line.split()[1] for line in out.splitlines() if line.startswith("accepted ")}


@pytest.mark.parametrize("point", CHOSEN)
def test_a_kill_at_a_fault_point_changes_nothing_in_the_end(
    engine: Engine, workers: dict[str, "subprocess.Popen[str]"], point: str
) -> None:
    print(f"{len(CHOSEN)} of {len(POINTS)} fault points, seed {SEED}")
    for seat in engine.seats:
        workers[seat] = engine.start(seat, RUNS, f"{point}:kill" if seat == "seat_a/" else "")
    until(lambda: workers["seat_a/"].poll() is not None, seconds=60)
    if workers["seat_a/"].returncode == 0:
        assert engine.kind != "local", "the fault point was not reached"  # with two workers the other may have met it first
    else:
        assert workers["seat_a/"].returncode == -signal.SIGKILL
    workers.pop("seat_a/").communicate()
    engine.finish(workers, RUNS)
    assert_as_undisturbed(engine.home, RUNS, engine.server)


def test_random_kills_under_load_lose_and_repeat_nothing(engine: Engine, workers: dict[str, "subprocess.Popen[str]"]) -> None:
    print(f"{KILLS} kills with {RUNS_IN_FLIGHT} runs, seed {SEED}")
    choose = random.Random(SEED)
    acknowledged: set[str] = set()
    for seat in engine.seats:
        workers[seat] = engine.start(seat, RUNS_IN_FLIGHT)
    for _ in range(KILLS):
        time.sleep(choose.uniform(0.8, 2.5))
        seat = choose.choice(engine.seats)
        acknowledged |= kill(workers[seat])
        workers[seat] = engine.start(seat, RUNS_IN_FLIGHT)
    engine.finish(workers, RUNS_IN_FLIGHT)
    assert acknowledged <= outcome(engine.home, server=engine.server)["runs"].keys()
    assert_as_undisturbed(engine.home, RUNS_IN_FLIGHT, engine.server)


@pytest.mark.parametrize("point", ["intent.after_commit:3", "call.after_send:2"] if PROVE else ["intent.after_commit:3"])
def test_a_worker_that_stands_still_past_its_lease_is_replaced_and_sends_nothing_more(
    engine: Engine, workers: dict[str, "subprocess.Popen[str]"], point: str
) -> None:
    if engine.kind == "local":
        pytest.skip("nobody but the one process takes runs over")
    workers["seat_a/"] = engine.start("seat_a/", RUNS, f"{point}:stop")
    until(lambda: state_of(workers["seat_a/"]) == "T", seconds=60)
    begun = time.monotonic()
    workers["seat_b/"] = engine.start("seat_b/", RUNS)
    out, err = workers["seat_b/"].communicate(timeout=120)
    assert workers["seat_b/"].returncode == 0, err[-3000:]
    assert time.monotonic() - begun > LEASE_SECONDS / 2, "the lease was waited for"
    workers["seat_a/"].send_signal(signal.SIGCONT)
    workers["seat_a/"].communicate(timeout=60)
    assert_as_undisturbed(engine.home, RUNS, engine.server)
    assert no_epoch_comes_back(engine.home, engine.server)
    assert Counter(line for line in out.splitlines() if line == "done") == {"done": 1}


def state_of(process: "subprocess.Popen[str]") -> str:
    """`T` while it is stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
