"""A process that runs mixed playbooks and may be killed at any moment: started again on the same folder it goes on.

`python -m tests.unit.playbooks.crashing HOME COUNT FAULT_POINTS SEAT DISPATCH` accepts COUNT runs, each under a key of its own, so that a later life
accepts the same ones; prints `ready`, one `accepted KEY` a run after its commit, and `done` when all have ended.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.databases import place_in
from tests.unit.playbooks.engine_room import Room, after, call, compose, engine_room

from guardship.errors import NotFound
from guardship.playbooks.firing import Firing
from guardship.playbooks.run_rows import RunFilter
from guardship.storage.database import Database
from guardship.telemetry import configure

MIXED: dict[str, dict[str, Any]] = {
    "alert": {
        "Is_high": {
            "type": "If",
            "expression": {"and": [{"equals": ["@triggerBody()?['Severity']", "High"]}]},
            "actions": {
                "Look": call("get", "/things/a", runAfter={}),
                "Isolate": call("put", "/things/@{triggerBody()?['Host']}", {"seconds": 0.02}, runAfter=after("Look")),
                "Tell": call("post", "/letters", {"seconds": 0.01, "to": "@triggerBody()?['Host']"}, runAfter=after("Isolate")),
            },
            "else": {"actions": {"Note": compose("nothing", runAfter={})}},
            "runAfter": {},
        }
    },
    "loops": {
        "Count": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer", "value": 0}]}, "runAfter": {}},
        "Each": {
            "type": "Foreach",
            "foreach": "@createArray(1, 2, 3)",
            "actions": {
                "Mark": call("put", "/things/@{item()}", {"seconds": 0.01}, runAfter={}),
                "Post": call("post", "/repeatable", {"n": "@item()"}, runAfter=after("Mark")),
            },
            "runAfter": after("Count"),
        },
        "Again": {
            "type": "Until",
            "expression": "@greaterOrEquals(variables('n'), 2)",
            "actions": {"More": {"type": "IncrementVariable", "inputs": {"name": "n"}, "runAfter": {}}},
            "runAfter": after("Each"),
        },
        "End": compose("@variables('n')", runAfter=after("Again")),
    },
    "waits": {
        "Pause": {"type": "Wait", "inputs": {"until": {"timestamp": "@addSeconds(utcNow(), 0.3)"}}, "runAfter": {}},
        "Refused": call("post", "/repeatable", {"status": 400}, runAfter=after("Pause")),
        "Mend": call("put", "/things/mended", runAfter=after("Refused", on=("Failed",))),
    },
}
SEVERITIES = ("High", "Medium")


def plan(count: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Key, playbook and trigger body of every run."""
    names = list(MIXED)
    return [
        (f"k{number}", names[number % 3], {"Severity": SEVERITIES[number // 3 % 2], "Host": f"web-{number}"}) for number in range(count)
    ]


async def live(home: Path, count: int, fault_points: str, seat: str, dispatching: str) -> None:
    async with engine_room(home, fault_points=fault_points, seat=seat, dispatching=dispatching) as room:
        playbooks = {name: _published(room, name) for name in MIXED}
        print("ready", flush=True)
        run_ids = []
        for key, name, body in plan(count):
            accepted = await room.runner.accept_soon(Firing(playbooks[name], None, body, priority=len(name)), dedup_key=key)
            print("accepted", key, flush=True)
            run_ids.append(accepted.run_id)
        watching = asyncio.create_task(_answer_for_people(room))
        for run_id in run_ids:
            while await asyncio.to_thread(room.journal.ended_status, run_id) is None:  # another process may end it
                await asyncio.sleep(0.02)
        watching.cancel()
    print("done", flush=True)


def _published(room: Room, name: str) -> str:
    try:
        playbook = room.library.named(name)
    except NotFound:
        return room.publish(MIXED[name], name=name)
    if playbook.current_version_id is None:
        room.library.publish(playbook.playbook_id, by="ada")
    return playbook.playbook_id


async def _answer_for_people(room: Room) -> None:
    """A person who looks whether the letter went out."""
    while True:
        await asyncio.sleep(0.1)
        for run in room.runs.rows.runs(RunFilter(status="Waiting")):
            for action in room.runs.rows.actions(run.run_id):
                event = room.runs.rows.event(run.run_id, "OutcomeUnknown", action.key) if action.status == "Waiting" else None
                if event is not None:
                    sent = any(deed["run"] == run.run_id for deed in room.world.deeds("send"))
                    await asyncio.to_thread(room.runner.messages.decide, run.run_id, action.key, "done" if sent else "again", by="grace")


# ---- the parent's side


def start(
    home: Path, count: int, fault_points: str = "", *, server: str = "", seat: str = "seat_a/", dispatching: str = ""
) -> "subprocess.Popen[str]":
    """A life of the process, on SQLite or on that `server`; the caller ends it."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tests.unit.playbooks.crashing", str(home), str(count), fault_points, seat, dispatching]
    environment = {
        "GUARDSHIP_TEST_POSTGRES": server,
        "PYTHONPATH": f"{root / 'src'}:{root}",
        "PATH": "/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
    }
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=root)


def last_words(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Its output and errors once it has ended; it is killed when it does not."""
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def finish(home: Path, count: int, *, server: str = "", seat: str = "seat_a/", dispatching: str = "") -> str:
    """One undisturbed life to the end; its output."""
    process = start(home, count, server=server, seat=seat, dispatching=dispatching)
    out, err = last_words(process)
    assert process.returncode == 0, err[-2000:]
    return out


def outcome(home: Path, *, server: str = "") -> dict[str, Any]:
    """Final statuses by key of the run, and what was done to the outside."""
    database = Database(place_in(home, server=server))
    runs: dict[str, Any] = {}
    for run_id, key, status in database.ask("SELECT run_id, dedup_key, status FROM playbooks_run", {}):
        rows = database.ask("SELECT key, status FROM playbooks_action WHERE run_id=:run_id ORDER BY key", {"run_id": run_id})
        runs[key] = (status, dict(tuple(row) for row in rows))
    database.close()
    deeds = [json.loads(line) for line in (home / "world.jsonl").read_text().splitlines()]
    return {"runs": runs, "deeds": deeds}


if __name__ == "__main__":
    configure(level="critical")
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]))
