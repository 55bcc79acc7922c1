"""Rows a second through `POST /api/v1/ingest/Syslog`, against DuckDB taking the same Arrow batches with nothing checked."""

import time
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.running import RunningServer

from benchmarks.figures import Figure, median
from guardship.workspace.catalog import Catalog
from guardship.workspace.row_batches import read_rows

BATCH_ROWS = 10_000
ROUNDS = 3
TABLE = "Syslog"


def figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    """Ours and the baseline in turns; the medians of the rounds."""
    batches = 3 if is_quick else 10
    rows = [_row(number) for number in range(BATCH_ROWS)]
    content = orjson.dumps(rows)
    ours: list[float] = []
    bare: list[float] = []
    with RunningServer(folder / "ingest") as server, server.client() as api:
        issued = api.post("ingest-tokens", json={"name": "bench", "tables": [TABLE]})
        issued.raise_for_status()
        with server.client(issued.json()["token"]) as source:
            _send(source, content)  # opens the store
            for round_ in range(ROUNDS):
                start = time.perf_counter()
                for _ in range(batches):
                    _send(source, content)
                ours.append(batches * BATCH_ROWS / (time.perf_counter() - start))
                bare.append(_append_bare(folder / f"bare-{round_}.duckdb", rows, batches))
        sent = (1 + ROUNDS * batches) * BATCH_ROWS
        found = api.post("search", json={"query": f"{TABLE} | count"}).json()
    note = f"{len(content) // BATCH_ROWS} bytes a row, batches of {BATCH_ROWS}; kept {_first_cell(found)} of {sent}"
    rate = median(ours)
    return [Figure("ingest", rate, "rows/s", "all kept", _first_cell(found) == sent, median(bare), "bare DuckDB append", note)]


def _row(number: int) -> dict[str, object]:
    return {
        "TimeGenerated": f"2026-11-24T03:{number // 60 % 60:02}:{number % 60:02}.123456Z",
        "Computer": f"web-{number % 50}",
        "Facility": "auth",
        "SeverityLevel": "info",
        "ProcessName": "sshd",
        "ProcessID": 1000 + number,
        "SyslogMessage": f"Failed password for invalid user admin from 203.0.113.{number % 250} port {20_000 + number} ssh2",
    }


def _send(source: httpx.Client, content: bytes) -> None:
    answer = source.post(f"ingest/{TABLE}", content=content, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    if answer.json()["accepted"] != BATCH_ROWS:
        raise RuntimeError(f"not all rows were taken: {answer.text[:300]}")


def _append_bare(file: Path, rows: list[dict[str, object]], batches: int) -> float:
    import duckdb  # late: the other figures do without it

    batch = read_rows(Catalog.load().table(TABLE), rows, machine=None).batch
    connection = duckdb.connect(str(file), config={"memory_limit": "128MB", "threads": "2"})
    try:
        connection.register("batch", batch)
        connection.execute("CREATE TABLE rows AS SELECT * FROM batch LIMIT 0")
        start = time.perf_counter()
        for _ in range(batches):
            connection.execute("INSERT INTO rows SELECT * FROM batch")
        return batches * BATCH_ROWS / (time.perf_counter() - start)
    finally:
        connection.close()


def _first_cell(found: dict[str, Any]) -> int:
    return int(found["rows"][0][0])
