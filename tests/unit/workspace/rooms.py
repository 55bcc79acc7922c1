"""A workspace as tests use it: the shipped tables, a store in a folder, a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guardship.clock import HeldClock
from guardship.workspace.catalog import Catalog
from guardship.workspace.duckdb_store import DuckDbStore
from guardship.workspace.ingest import Ingest
from guardship.workspace.search import Search

START = datetime(2026, 11, 24, 3, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Workspace:
    catalog: Catalog
    store: DuckDbStore
    ingest: Ingest
    search: Search
    clock: HeldClock


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    catalog, clock = Catalog.load(), HeldClock(START)
    store = DuckDbStore(folder / "logs.duckdb", catalog, threads=1)
    ingest = Ingest(store, catalog, clock)
    try:
        yield Workspace(catalog, store, ingest, Search(store, catalog, clock), clock)
    finally:
        ingest.stop()
        store.close()
