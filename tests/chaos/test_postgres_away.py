"""PostgreSQL falls under load, and a worker stands still past its lease: nothing acknowledged is lost, nothing is done twice.

`GUARDSHIP_PROVE=1` keeps the server away for 30 s, and lets it fall once more while it recovers; without it for 3 s.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.test_runner_crash import assert_as_undisturbed
from tests.databases import place_in
from tests.postgres.own_server import OwnServer
from tests.running import until
from tests.unit.playbooks.crashing import finish, start
from tests.unit.playbooks.engine_room import Room, after, build, call, compose

from guardship.playbooks.firing import Firing
from guardship.playbooks.journal_writer import JournalUnavailable
from guardship.storage.database import Database

PROVE = os.environ.get("GUARDSHIP_PROVE") == "1"
AWAY_SECONDS = 30.0 if PROVE else 3.0
CALLERS = 8
LEASE_SECONDS = 30
RUNS = 30 if PROVE else 9


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    server = OwnServer()
    yield server
    server.close()


def test_postgresql_away_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: Path, own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"PostgreSQL is away for {AWAY_SECONDS:.0f} s, {CALLERS} callers")
    monkeypatch.setattr("tests.unit.playbooks.engine_room.opened_in", lambda home: Database(place_in(home, server=own_server.url())))
    actions = {"Tell": call("post", "/letters", {"seconds": 0.02}, runAfter={}), "End": compose("x", runAfter=after("Tell"))}

    async def work() -> tuple[Room, dict[str, str], set[str]]:
        room = build(tmp_path)
        await room.runner.start()
        playbook_id = room.publish(actions)
        acknowledged: dict[str, str] = {}
        refused: set[str] = set()
        is_over = False

        async def caller(number: int) -> None:
            count = 0
            while not is_over:
                key, count = f"{number}-{count}", count + 1
                try:
                    accepted = await room.runner.accept_soon(Firing(playbook_id, None, None), dedup_key=key)
                    acknowledged[key] = accepted.run_id
                except JournalUnavailable:
                    refused.add(key)
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.02)

        callers = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
        await asyncio.sleep(1.0)
        await asyncio.to_thread(own_server.stop, at_once=True)
        if PROVE:
            await asyncio.to_thread(own_server.start)
            await asyncio.to_thread(own_server.stop, at_once=True)
        before = len(acknowledged)
        await asyncio.sleep(AWAY_SECONDS)
        assert len(acknowledged) <= before + CALLERS, "nothing is acknowledged that cannot be kept"
        await asyncio.to_thread(own_server.start)
        count = len(acknowledged)
        async with asyncio.timeout(60):
            while len(acknowledged) < count + 3 * CALLERS:  # it goes on by itself
                await asyncio.sleep(0.05)
        is_over = True
        async with asyncio.timeout(90):
            await asyncio.gather(*callers)
            statuses = {key: await ended(room, run_id) for key, run_id in acknowledged.items()}
        await room.runner.stop(grace_seconds=0.2)
        return room, statuses, refused

    room, statuses, refused = asyncio.run(work())
    kept = {row[0] for row in room.database.ask("SELECT dedup_key FROM playbooks_run", {})}
    room.database.close()
    print(f"{len(statuses)} acknowledged, {len(refused)} refused")
    assert set(Counter(statuses.values())) == {"Succeeded"}
    assert statuses.keys() <= kept
    assert kept <= statuses.keys() | refused
    letters = Counter(deed["key"] for deed in room.world.deeds("send"))
    assert set(letters.values()) == {1}


async def ended(room: Room, run_id: str) -> str:
    while (status := await asyncio.to_thread(room.journal.ended_status, run_id)) is None:
        await asyncio.sleep(0.05)
    return status


def test_a_worker_that_stands_still_past_its_lease_is_replaced_and_its_late_writes_are_refused(
    tmp_path: Path, own_server: OwnServer
) -> None:
    server = own_server.url()
    first = start(tmp_path, RUNS, server=server, seat="seat_a/")
    try:
        assert first.stdout is not None
        heard = [first.stdout.readline().strip() for _ in range(1 + RUNS)]
        assert heard[0] == "ready"
        first.send_signal(signal.SIGSTOP)
        under_way = held_by(tmp_path, server, "seat_a/")
        assert under_way, "it was stopped while it worked"
        stopped = time.monotonic()
        finish_beside(tmp_path, server)
        assert time.monotonic() - stopped > LEASE_SECONDS / 2
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=60)
        assert first.returncode == 0
    finally:
        first.send_signal(signal.SIGCONT)
        first.kill()
        first.communicate()
    assert_as_undisturbed(tmp_path, RUNS, server)
    assert no_epoch_comes_back(tmp_path, server)


def finish_beside(home: Path, server: str) -> None:
    try:
        finish(home, RUNS, server=server, seat="seat_b/")
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"the second worker did not take over: {held_by(home, server, 'seat_a/')}") from error


def held_by(home: Path, server: str, seat: str) -> list[str]:
    database = Database(place_in(home, server=server))
    try:
        sql = "SELECT run_id FROM playbooks_run WHERE lease_owner LIKE :seat"
        return [row[0] for row in until(lambda: database.ask(sql, {"seat": f"{seat}%"}) or [()], seconds=5) if row]
    finally:
        database.close()


def no_epoch_comes_back(home: Path, server: str) -> bool:
    """In every journal the leases follow each other: nothing was written under one that had been taken away."""
    database = Database(place_in(home, server=server))
    try:
        rows = database.ask("SELECT run_id, epoch FROM playbooks_journal ORDER BY run_id, seq", {})
    finally:
        database.close()
    epochs: dict[str, list[int]] = {}
    for run_id, epoch in rows:
        epochs.setdefault(run_id, []).append(epoch)
    return all(found == sorted(found) for found in epochs.values()) and any(found[-1] > found[0] for found in epochs.values())
