"""`python -m benchmarks`: what the product reaches on this machine, beside plain baselines that ran in the same minutes.

A rate depends on the machine and on what else runs; a ratio to the baseline beside it does not. Everything stays on loopback and in a
temporary folder that is gone afterwards.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import cut_off, engine_alone, ingest_rows, load, server_start, waiting, webhook
from benchmarks.figures import Figure, table


def _parts(given: argparse.Namespace) -> dict[str, Callable[[Path], list[Figure]]]:
    is_quick: bool = given.quick
    return {
        "engine": lambda folder: engine_alone.figures(folder, is_quick=is_quick),
        "load": lambda _: load.figures(given.templates, is_quick=is_quick),
        "engine-postgres": lambda folder: engine_alone.postgres_figures(folder, is_quick=is_quick),
        "webhook": lambda folder: webhook.figures(folder, is_quick=is_quick, bench_scripts=given.bench_scripts),
        "ingest": lambda folder: ingest_rows.figures(folder, is_quick=is_quick),
        "waiting": lambda folder: waiting.figures(folder, is_quick=is_quick),
        "server": lambda folder: server_start.figures(folder, is_quick=is_quick),
        "cut-off": lambda folder: cut_off.figures(folder, is_quick=is_quick),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        help="engine, engine-postgres, load, webhook, ingest, waiting, server or cut-off; may be given again",
    )
    parser.add_argument("--quick", action="store_true", help="few of everything: shows that it runs, not how fast it is")
    parser.add_argument("--bench-scripts", type=Path, help="folder with a wfload.py that also puts its load on the webhook")
    parser.add_argument("--templates", type=Path, help="folder with templates to load in place of the one that is shipped")
    given = parser.parse_args()
    parts = _parts(given)
    unknown = [name for name in given.only if name not in parts]
    if unknown:
        parser.error(f"there is no figure {unknown[0]}; known are {', '.join(parts)}")
    made: list[Figure] = []
    try:
        for name, measure in parts.items():
            if not given.only or name in given.only:
                print(f"{name} …", flush=True)
                with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
                    made += measure(Path(folder))
    finally:  # what was measured is told, also when a later part breaks off
        load = os.getloadavg()[0]
        print(f"\n{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, {time.strftime('%Y-%m-%d %H:%M')}")
        print(table(made))


if __name__ == "__main__":
    main()
