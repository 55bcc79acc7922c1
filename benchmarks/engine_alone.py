"""How many durable runs a second one process makes: evaluation, journal and action rows, with nothing outside.

Two playbooks of five actions: `plain` works on data alone (its acceptance and its end, mostly in one commit), `effects` has five calls
of an operation with an effect that answers at once (an intent and a result committed for each). The baseline commits twice and seven
times a run without an engine, in turns with it.
`python -m benchmarks.engine_alone` prints one JSON line a form, with `--profile` what the time went into.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.postgres.own_server import OwnServer, name_for

from benchmarks import bare_commits
from benchmarks.bare_commits import BareRun
from benchmarks.figures import Figure, at_least, median
from guardship.clock import SystemClock
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse, ConnectorSet, Operation, Recovery, TriggerOffer
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

CALLERS = 32
ROUNDS = 3
RUNS_PER_SECOND = 2500
RUNS_PER_SECOND_ON_POSTGRES = 1500


class Echo:
    """A connector that answers at once."""

    name = "echo"
    title = "Echo"
    operations = (Operation("say", "POST", "/say", Recovery.RETRY),)
    triggers: tuple[TriggerOffer, ...] = ()

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        return ConnectorResponse(200, {}, {"said": True})


def _plain() -> dict[str, Any]:
    return {
        "Name": {"type": "Compose", "inputs": "@toLower(triggerBody()?['CompromisedEntity'])", "runAfter": {}},
        "Is_high": {
            "type": "If",
            "expression": {"and": [{"equals": ["@triggerBody()?['Severity']", "High"]}]},
            "actions": {"Text": {"type": "Compose", "inputs": "@{outputs('Name')} at @{utcNow()}", "runAfter": {}}},
            "else": {"actions": {}},
            "runAfter": {"Name": ["Succeeded"]},
        },
        "Hosts": {
            "type": "Select",
            "inputs": {"from": "@triggerBody()?['Entities']", "select": "@item()?['Type']"},
            "runAfter": {"Is_high": ["Succeeded"]},
        },
        "Joined": {"type": "Join", "inputs": {"from": "@body('Hosts')", "joinWith": ", "}, "runAfter": {"Hosts": ["Succeeded"]}},
    }


def _effects() -> dict[str, Any]:
    actions: dict[str, Any] = {}
    before: dict[str, list[str]] = {}
    for number in range(5):
        name = f"Say_{number}"
        actions[name] = {
            "type": "ApiConnection",
            "inputs": {
                "host": {"connection": {"name": "@parameters('$connections')['echo']['connectionId']"}},
                "method": "post",
                "path": "/say",
                "body": {"vm": "@triggerBody()?['CompromisedEntity']", "n": number},
            },
            "runAfter": before,
        }
        before = {name: ["Succeeded"]}
    return actions


def _definition(actions: dict[str, Any]) -> bytes:
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}}
    return json.dumps({"parameters": {"$connections": {"type": "Object"}}, "triggers": trigger, "actions": actions}).encode()


ALERT = {
    "Severity": "High",
    "CompromisedEntity": "WEB-1",
    "AlertDisplayName": "Successful sign-in after many failed ones",
    "Description": "d" * 900,
    "Entities": [{"$id": "1", "Type": "host", "HostName": "web-1"}, {"$id": "2", "Type": "ip", "Address": "203.0.113.66"}],
    "ExtendedProperties": {"compromised host": "web-1", "rows": "20", "query": "Syslog | where Facility == 'auth'" * 6},
}


async def measure(form: str, runs: int, callers: int, home: Path, url: str = "") -> dict[str, Any]:
    interpreter.settle()  # as a server does once it is built; the baseline runs in the same process
    database = Database(url or home / f"{form}.db")
    database.create_tables()
    clock, vault, connectors = SystemClock(), Vault.open(home / "key"), ConnectorSet([Echo()])
    library = Library(database, connectors, clock)
    draft = library.import_definition(form, _definition(_plain() if form == "plain" else _effects()), by="bench")[0]
    library.publish(draft.playbook_id, by="bench")
    journal = Journal(database, Blobs(home / "blobs"), Payloads(vault), clock, FaultPoints())
    runner = Runner(journal, library, connectors, Connections(database, vault, clock), clock, FaultPoints())
    await runner.start()
    left, times, failed = runs, [], 0

    async def caller() -> None:
        nonlocal left, failed
        while left > 0:
            left -= 1
            start = time.perf_counter()
            accepted = await runner.accept_soon(Firing(draft.playbook_id, None, ALERT))
            failed += await runner.wait_ended(accepted.run_id) != "Succeeded"
            times.append((time.perf_counter() - start) * 1000)

    cpu = time.process_time()
    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    await runner.stop()
    size = database.ask("SELECT pg_database_size(current_database())", {})[0][0] if url else database.path.stat().st_size
    database.close()
    quantiles = statistics.quantiles(times, n=100)
    return {
        "form": form,
        "runs": runs,
        "callers": callers,
        "runs_per_second": round(runs / seconds),
        "p50_ms": round(quantiles[49], 2),
        "p99_ms": round(quantiles[98], 2),
        "cpu_ms_per_run": round(cpu / runs * 1000, 3),
        "failed": failed,
        "bytes_per_run": round(size / runs),
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    return _figures(folder, is_quick=is_quick, place=lambda home: home / "bare.db", url=lambda _: "", where="", least=RUNS_PER_SECOND)


def postgres_figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    """The same on a PostgreSQL of this machine, which is made for it and syncs as a user's does."""
    server = OwnServer()
    try:

        def url(home: Path) -> str:
            return server.database(name_for(home))

        def place(home: Path) -> str:
            return server.empty_database(name_for(home / "bare"))

        return _figures(folder, is_quick=is_quick, place=place, url=url, where=" on PostgreSQL", least=RUNS_PER_SECOND_ON_POSTGRES)
    finally:
        server.close()


def _figures(
    folder: Path, *, is_quick: bool, place: Callable[[Path], Path | str], url: Callable[[Path], str], where: str, least: float
) -> list[Figure]:
    """Each form and its baseline in turns; the medians of the rounds."""
    made: list[Figure] = []
    for form, runs in (("plain", 1000 if is_quick else 8000), ("effects", 300 if is_quick else 2000)):
        ours: list[dict[str, Any]] = []
        bare: list[float] = []
        for number in range(ROUNDS):
            home = folder / f"{form}-{number}"
            home.mkdir()
            ours.append(asyncio.run(measure(form, runs, CALLERS, home, url(home))))
            bare.append(asyncio.run(bare_commits.measure(BareRun(ALERT, form == "effects"), runs, CALLERS, place(home))))
        rate, cpu = median([one["runs_per_second"] for one in ours]), median([one["cpu_ms_per_run"] for one in ours])
        failed = sum(one["failed"] for one in ours)
        note = f"p99 {median([one['p99_ms'] for one in ours]):.0f} ms, {cpu:.2f} ms of CPU and {ours[0]['bytes_per_run']} bytes a run"
        note += f", {failed} failed" if failed else ""
        name = f"engine alone{where}, 5 {'actions' if form == 'plain' else 'calls'} a run, {CALLERS} callers"
        made.append(at_least(name, rate, "runs/s", least, baseline=median(bare), of="bare commits", note=note))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--form", choices=("plain", "effects", "both"), default="both")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL that is made for it")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    for form in ("plain", "effects") if given.form == "both" else (given.form,):
        runs = given.runs if form == "plain" else max(given.runs // 4, 100)
        with tempfile.TemporaryDirectory() as home:
            profile = cProfile.Profile()
            if given.profile:
                profile.enable()
            server = OwnServer() if given.postgres else None
            try:
                url = server.database(name_for(Path(home))) if server else ""
                print(json.dumps(asyncio.run(measure(form, runs, given.callers, Path(home), url))), flush=True)
            finally:
                if server:
                    server.close()
            if given.profile:
                profile.disable()
                pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
