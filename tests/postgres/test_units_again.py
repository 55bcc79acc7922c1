"""The tests of the packages that keep things in the database, once more on PostgreSQL.

`GUARDSHIP_PROVE=1` runs all of them; without it those of storage, identity and the journal, which hold most of what could differ.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.postgres.own_server import OwnServer

ROOT = Path(__file__).parents[2]
PROVE = os.environ.get("GUARDSHIP_PROVE") == "1"
QUICK = (
    "tests/unit/storage",
    "tests/unit/identity",
    "tests/unit/containment/test_gate.py",
    "tests/unit/detection/test_incidents.py",
    "tests/unit/playbooks/test_journal.py",
    "tests/unit/playbooks/test_narrow_moments.py",
    "tests/unit/playbooks/test_held_calls.py",
)
ALL = (
    "tests/unit/storage",
    "tests/unit/identity",
    "tests/unit/automation",
    "tests/unit/detection",
    "tests/unit/containment",
    "tests/unit/connectors",
    "tests/unit/playbooks",
    "tests/flows/test_containment.py",
)
MOST_SECONDS = 1500


def test_the_tests_of_what_is_kept_hold_on_postgresql_as_well(server: OwnServer) -> None:
    chosen = ALL if PROVE else QUICK
    print(f"{len(chosen)} places of tests: {', '.join(chosen)}{'' if PROVE else '; all with GUARDSHIP_PROVE=1'}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"GUARDSHIP_TEST_POSTGRES": server.url(), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
    assert done.returncode == 0, done.stdout[-6000:]
