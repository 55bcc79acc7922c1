"""Many jobs in one batch of the journal: one statement a table, and still each job is refused or written for itself."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.databases import demand_sqlite

from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.journal_rows import SIZES, Rows
from guardship.playbooks.journal_writer import JournalWriter, OwnedBlob, Refused
from guardship.storage.database import Database

RUN = (
    "play_1",
    "plav_1",
    "manual",
    None,
    None,
    10,
    1,
    "track",
    None,
    None,
    "Running",
    None,
    None,
    5,
    None,
    None,
    1,
    "w",
    1,
    9,
    False,
    None,
)


@dataclass
class Made:
    """A job that makes a run, or moves one on."""

    run_id: str
    number: int
    version: int | None = None  # None: the run is new
    row: tuple[Any, ...] | None = None
    blobs: list[OwnedBlob] = field(default_factory=list)

    def write(self, cursor: sqlite3.Cursor, rows: Rows) -> str:
        if self.version is None:
            is_taken = rows.add_run(cursor, (self.run_id, self.number, *RUN))
        else:
            values = (self.version + 1, "Running", None, None, 5, None, None, self.run_id, self.version, 1)
            is_taken = rows.move_run(cursor, values, is_over=False)
        if not is_taken:
            raise Refused("it was not taken")
        rows.journal.append(self.row or (self.run_id, self.version or 0, "RunAccepted", "", 5, None, 1, "{}"))
        return self.run_id


def write_together(database: Database, jobs: list[Made]) -> tuple[dict[int, Any], int]:
    """What each job heard, all of one batch, and how often something was rolled back."""
    demand_sqlite()
    heard: dict[int, Any] = {}
    rolled_back: list[int] = []
    writer = JournalWriter(database, FaultPoints(), lambda blobs: None, lambda: rolled_back.append(1))
    with closing(database.raw_connection()) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer waits, and finds all of them when it may go on
        writer.start()
        for index, job in enumerate(jobs):
            writer.submit(job, lambda result, error, index=index: heard.update({index: error or result}), None)  # type: ignore[misc]
        threading.Event().wait(0.05)
        other.execute("COMMIT")
    writer.stop()
    return heard, len(rolled_back) - 1  # one belongs to the end


def journal(database: Database) -> list[str]:
    with closing(database.raw_connection()) as connection:
        return [row[0] for row in connection.execute("SELECT run_id || ':' || seq FROM playbooks_journal ORDER BY 1")]


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, SIZES[-1] + 1])
def test_as_many_rows_as_there_are_get_written(database: Database, count: int) -> None:
    heard, rolled_back = write_together(database, [Made(f"run_{number:04}", number) for number in range(1, count + 1)])
    assert heard == {index: f"run_{index + 1:04}" for index in range(count)}
    assert (len(journal(database)), rolled_back) == (count, 0)


def test_one_that_a_fence_refuses_does_not_take_the_others_with_it(database: Database) -> None:
    write_together(database, [Made("run_1", 1), Made("run_2", 2)])
    heard, _ = write_together(database, [Made("run_1", 0, version=1), Made("run_2", 0, version=7), Made("run_3", 3)])
    assert (heard[0], heard[2]) == ("run_1", "run_3")
    assert isinstance(heard[1], Refused)
    assert journal(database) == ["run_1:0", "run_1:1", "run_2:0", "run_3:0"]


def test_a_refusal_and_a_row_that_cannot_be_written_in_one_batch_fail_each_for_itself(database: Database) -> None:
    write_together(database, [Made("run_1", 1)])
    bad = Made("run_2", 2, row=("run_2", 0, None, "", 5, None, 1, "{}"))
    heard, _ = write_together(database, [Made("run_1", 0, version=9), bad, Made("run_3", 3)])
    assert isinstance(heard[0], Refused)
    assert isinstance(heard[1], Refused)
    assert heard[2] == "run_3"
    assert journal(database) == ["run_1:0", "run_3:0"]
