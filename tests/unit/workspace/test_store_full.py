"""A disk that fills up: rows are refused by name, what was acknowledged stays, and rows are taken again when there is room."""

import ctypes
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.hosts import cannot

from guardship.clock import HeldClock
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore, StoreFailed, StoreFull
from guardship.workspace.ingest import Ingest

LIBC = ctypes.CDLL(None, use_errno=True)
LINES = [{"Computer": "web-1", "SyslogMessage": os.urandom(400).hex()} for _ in range(500)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, where we may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if LIBC.mount(b"tmpfs", bytes(disk), b"tmpfs", 0, b"size=8m") != 0:
        cannot("no right to mount a file system here")
    yield disk
    LIBC.umount2(bytes(disk), 2)


def fill(ingest: Ingest) -> int:
    """Rows acknowledged until the disk is full."""
    count = 0
    for _ in range(200):
        try:
            count += ingest.ingest("Syslog", LINES).accepted
        except (StoreFull, StoreFailed):
            return count
    pytest.fail("the disk did not fill up")


@pytest.mark.parametrize("reserve_bytes", [0, 2 * 1024 * 1024], ids=["to the last byte", "with a reserve"])
def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path, reserve_bytes: int) -> None:
    catalog, clock = Catalog.load(), HeldClock(datetime(2026, 11, 24, tzinfo=UTC))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 2 * 1024 * 1024)
    store = DuckDbStore(small_disk / "logs.duckdb", catalog, threads=1, reserve_bytes=reserve_bytes)
    ingest = Ingest(store, catalog, clock)
    acknowledged = fill(ingest)
    with pytest.raises(StoreFull, match="is full"):
        ingest.ingest("Syslog", LINES)
    ballast.unlink()
    acknowledged += ingest.ingest("Syslog", LINES[:10]).accepted
    assert store.row_count("Syslog") == acknowledged
    ingest.stop()
    store.close()


def test_a_database_that_gave_itself_up_is_opened_anew_and_the_rows_are_taken(tmp_path: Path) -> None:
    class GivesUp(DuckDbStore):
        faults = 1

        def _append_once(self, batches: Any) -> None:
            if self.faults:
                self.faults -= 1
                raise duckdb.FatalException("FATAL Error: database has been invalidated because of a previous fatal error")
            super()._append_once(batches)

    store = GivesUp(tmp_path / "logs.duckdb", Catalog.load(), threads=1)
    ingest = Ingest(store, Catalog.load(), HeldClock(datetime(2026, 11, 24, tzinfo=UTC)))
    assert ingest.ingest("Syslog", LINES).accepted == len(LINES)
    store.faults = 2
    with pytest.raises(StoreFailed):
        ingest.ingest("Syslog", LINES)
    assert store.row_count("Syslog") == len(LINES)
    ingest.stop()
    store.close()
