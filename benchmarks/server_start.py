"""How long a server takes until it is ready, and what it holds in memory when nothing happens."""

import time
from pathlib import Path

from tests.running import RunningServer

from benchmarks.figures import Figure, at_most, median

STARTS = 5
SETTLE_SECONDS = 3.0
READY_SECONDS = 3.0
IDLE_MIB = 250.0


def figures(folder: Path, *, is_quick: bool) -> list[Figure]:
    """The first start makes the database and is told apart; the others find it."""
    starts = 2 if is_quick else STARTS
    seconds: list[float] = []
    memory = 0.0
    for number in range(starts + 1):
        began = time.perf_counter()
        with RunningServer(folder / "start") as server:
            seconds.append(time.perf_counter() - began)
            if number == starts:
                time.sleep(SETTLE_SECONDS)
                memory = _resident_mib(server.process.pid)
    note = f"median of {starts}; the first, with a new database, {seconds[0]:.2f} s"
    return [
        at_most("server ready", median(seconds[1:]), "s", READY_SECONDS, note=note),
        at_most("server idle, lab off, resident", memory, "MiB", IDLE_MIB),
    ]


def _resident_mib(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no resident memory of process {process_id} is known")
