"""Journals that earlier engines wrote: this one reads them to the same state, and a rebuilt picture is the one that was shown.

`v1` was written by the engine of the first issue. A file holds the definition, the rows as they lay on disk, large payloads by their
hash, and the state that the engine of that time had at the end.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.engine_room import Room, build

from guardship.playbooks.events import Event, EventKind
from guardship.playbooks.reading import read_workflow
from guardship.playbooks.state import RunState, apply

FILES = sorted(Path(__file__).parent.glob("v*/*.json"))


def opened(document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A row's body with its payloads in place; what was sealed is gone with its run, as it is for the server."""
    made = {}
    for name, value in body.items():
        if name.endswith("_ref"):
            made[name.removesuffix("_ref")] = document["blobs"][value["blob"]] if "blob" in value else value.get("inline")
        else:
            made[name] = value
    return made


def replayed(document: dict[str, Any], count: int | None = None) -> RunState:
    state = RunState("run_1")
    for row in document["events"][:count]:
        seed = bytes.fromhex(row["seed"]) if row["seed"] else None
        apply(state, Event(EventKind(row["kind"]), row["key"], row["at"], opened(document, row["body"]), seed))
    return state


@pytest.fixture
def room(tmp_path: Path) -> Any:
    made = build(tmp_path)
    yield made
    made.database.close()


@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}-{file.stem}" for file in FILES])
def test_an_old_journal_replays_to_the_same_state(file: Path, room: Room) -> None:
    document = json.loads(file.read_bytes())
    state, expected = replayed(document), document["state"]
    assert (state.status, state.code, state.version) == (expected["status"], expected["code"], expected["version"])
    assert state.variables == expected["variables"]
    found = {
        key: {
            "status": str(record.status),
            "code": record.code,
            "attempt": record.attempt,
            "outputs": record.outputs,
            "ended": record.has_ended,
        }
        for key, record in sorted(state.records.items())
    }
    assert found == expected["records"]
    workflow, problems = read_workflow("old", document["definition"], {}, room.known)
    assert not problems
    assert {key.rpartition("/")[2] for key in found} <= {action.key for action in workflow.actions.values()}


@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}-{file.stem}" for file in FILES])
def test_every_prefix_of_an_old_journal_can_be_read(file: Path) -> None:
    document = json.loads(file.read_bytes())
    for count in range(len(document["events"]) + 1):
        assert replayed(document, count).version == count
