"""What many waiting runs cost: memory over an idle process, time to be ready after a restart, and how soon each wakes.

The runs are made by the runner itself, all wait for an hour. A fresh process then opens the same database: its memory with them against
its memory with an empty one. The wake is from the moment a timer is due until its run has ended, for a sample whose due times are brought
forward to come one after the other.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.engine_alone import ALERT, _definition
from benchmarks.figures import Figure, at_most, median, quantile
from guardship.clock import SystemClock, to_micros
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Journal
from guardship.playbooks.library import Library
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.runner import Runner
from guardship.server import interpreter
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.vault import Vault

WAITING = 100_000
SAMPLE = 1000
PER_SECOND = 50  # wakes of the sample
WAIT = {
    "Rest": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}},
    "After": {"type": "Compose", "inputs": "@triggerBody()?['Severity']", "runAfter": {"Rest": ["Succeeded"]}},
}


def _built(home: Path) -> tuple[Runner, Library, Database]:
    interpreter.settle()
    home.mkdir(parents=True, exist_ok=True)
    database = Database(home / "waiting.db")
    database.create_tables()
    clock, vault, connectors = SystemClock(), Vault.open(home / "key"), ConnectorSet([])
    library = Library(database, connectors, clock)
    journal = Journal(database, Blobs(home / "blobs"), Payloads(vault), clock, FaultPoints())
    return Runner(journal, library, connectors, Connections(database, vault, clock), clock, FaultPoints()), library, database


async def fill(home: Path, count: int) -> dict[str, Any]:
    runner, library, database = _built(home)
    draft = library.import_definition("waiting", _definition(WAIT), by="bench")[0]
    library.publish(draft.playbook_id, by="bench")
    await runner.start()
    began = time.perf_counter()
    left = count

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await runner.accept_soon(Firing(draft.playbook_id, None, ALERT))

    await asyncio.gather(*(caller() for _ in range(64)))
    await runner.stop(grace_seconds=30)
    database.close()
    return {"seconds": time.perf_counter() - began}


async def reopen(home: Path, sample: int) -> dict[str, Any]:
    """In a process of its own."""
    runner, _, database = _built(home)
    before = _resident()
    began = time.perf_counter()
    await runner.start()
    ready = time.perf_counter() - began
    await asyncio.sleep(2)
    found = {"ready": ready, "resident": _resident(), "grown": _resident() - before, "wakes": await _wakes(runner, database, sample)}
    await runner.stop(grace_seconds=1)
    database.close()
    return found


async def _wakes(runner: Runner, database: Database, sample: int) -> list[float]:
    """Seconds from due to ended, of some runs."""
    start = to_micros(SystemClock().now()) + 1_000_000
    with closing(database.raw_connection()) as connection:
        runs = [row[0] for row in connection.execute("SELECT run_id FROM playbooks_timer ORDER BY run_id LIMIT ?", (sample,))]
        due = {run_id: start + index * 1_000_000 // PER_SECOND for index, run_id in enumerate(runs)}
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("UPDATE playbooks_timer SET due_at=? WHERE run_id=?", [(at, run_id) for run_id, at in due.items()])
        connection.execute("COMMIT")
    for run_id in runs:
        await runner.wait_ended(run_id)
    with closing(database.raw_connection()) as connection:
        ended = dict(
            connection.execute(f"SELECT run_id, ended_at FROM playbooks_run WHERE run_id IN ({','.join('?' * len(runs))})", runs)
        )  # places only
    return [(ended[run_id] - at) / 1_000_000 for run_id, at in due.items()]


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    count, sample = (500, 50) if is_quick else (WAITING, SAMPLE)
    idle = _apart(folder / "idle", 0)
    filled = asyncio.run(fill(folder / "full", count))
    full = _apart(folder / "full", sample)
    over = (full["resident"] - idle["resident"]) / 2**20
    made = f"{count} runs, made in {filled['seconds']:.0f} s"
    wakes = [seconds * 1000 for seconds in full["wakes"]]
    of = f"of {len(wakes)}, {PER_SECOND} a second"
    return [
        at_most("waiting runs, memory over idle", over, "MiB", 200, note=made),
        at_most("waiting runs, ready after a restart", full["ready"], "s", 5, note=f"with {count} of them"),
        Figure("wake of a waiting run, p50", median(wakes), "ms", note=of),
        at_most("wake of a waiting run, p99", quantile(wakes, 0.99), "ms", 500, note=of),
    ]


def _apart(home: Path, sample: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.waiting", "--reopen", str(home), "--sample", str(sample)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # ourselves
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting")
    parser.add_argument("--reopen", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(reopen(given.reopen, given.sample))))


if __name__ == "__main__":
    main()
