"""The long proof of the main job, after the tests in full: the demo twenty times in a row, each contained, proved and released.

Prints a line a round and the spread of the times; exit code 0 only if every round held and nothing was left behind.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMMAND = str(ROOT / ".venv/bin/guardship")
ROUNDS = int(os.environ.get("GUARDSHIP_PROVE_ROUNDS", "20"))
FINDINGS = ("new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.flows.company import free_port

    names = ("LISTEN_PORT", "CLIENTS_PORT", "LAB_ARM_PORT", "LAB_MAIL_PORT")
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ) | {f"GUARDSHIP_{name}": str(free_port()) for name in names} | {"GUARDSHIP_HOME": home}
        results = [one(number, environment) for number in range(1, ROUNDS + 1)]
        left = [each.name for each in Path("/proc").iterdir() if each.name.isdigit() and belongs(each.name, home)]
    for name in ("first_packet_to_alert", "alert_to_last_packet", "put_to_last_packet", "whole"):
        values = sorted(float(result["seconds"][name]) for result in results if result["seconds"].get(name) is not None)
        if values:
            p95 = values[min(len(values) - 1, round(0.95 * len(values)) - 1)]
            print(f"{name:24} p50 {statistics.median(values):8.4f} s   p95 {p95:8.4f} s   max {values[-1]:8.4f} s   of {len(values)}")
    held = [result for result in results if result["contained"] and all(result[name] == "verified" for name in FINDINGS)]
    print(f"{len(held)} of {len(results)} rounds contained with all three findings verified; {len(left)} processes left")
    sys.exit(0 if len(held) == len(results) and not left else 1)


def one(number: int, environment: dict[str, str]) -> dict[str, Any]:
    start = time.monotonic()
    done = subprocess.run(
        [COMMAND, "demo", "--once", "--json", "--release"], env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    nothing: dict[str, Any] = {"contained": False, "seconds": {}, **dict.fromkeys(FINDINGS)}
    result: dict[str, Any] = json.loads(done.stdout) if done.stdout else nothing
    result["seconds"]["whole"] = time.monotonic() - start
    print(f"demo {number:2}: {'contained' if done.returncode == 0 else done.stderr.strip()[-300:]}, {result['seconds']}", flush=True)
    return result


def belongs(pid: str, home: str) -> bool:
    try:
        return home.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    main()
