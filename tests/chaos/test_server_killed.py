"""kill -9 of the server while the lab and its live session stay: the run ends as it would have, with one job and one isolation.

`GUARDSHIP_PROVE=1` kills at every fault point and 30 times at random; without it a seeded choice of them.
"""

import os
import random
import time
from pathlib import Path

import pytest
from tests.flows.company import Company
from tests.running import until

PROVE = os.environ.get("GUARDSHIP_PROVE") == "1"
POINTS = [
    "accept.before_commit:1:kill",
    "accept.after_commit:1:kill",
    "intent.after_commit:1:kill",
    "call.before_send:1:kill",
    "call.after_send:1:kill",
    "result.before_commit:1:kill",
    "result.before_commit:2:kill",
    "result.after_commit:2:kill",
    "intent.after_commit:2:kill",
    "call.before_send:2:kill",
]
SEED = 20261124
RANDOM_KILLS = 30 if PROVE else 3
CHOSEN = POINTS if PROVE else random.Random(SEED).sample(POINTS, 4)


def the_run_ends_as_it_would_have(company: Company) -> None:
    run = company.ended_run(seconds=60)
    view = company.get(f"runs/{run['run_id']}")
    assert run["status"] == "Succeeded", view
    assert len(company.get("runs")) == 1
    jobs = company.get("jobs")
    assert len(jobs) == 1, jobs
    assert jobs[0]["status"] == "Completed", jobs
    isolation = company.verified_isolation()
    assert len(company.isolations()) == 1
    assert (isolation["new_connections_blocked"], isolation["live_sessions_cut"]) == ("verified", "verified")
    writes = [write for write in company.get(f"isolations/{isolation['isolation_id']}")["writes"] if write["state"] == "done"]
    assert len(writes) == 1, writes
    assert company.get("audit/verification")["is_whole"]


@pytest.mark.parametrize("point", CHOSEN)
def test_killed_between_intent_and_result_the_run_ends_as_it_would_have(tmp_path: Path, point: str) -> None:
    print(f"{len(CHOSEN)} of {len(POINTS)} fault points, seed {SEED}")
    with Company(tmp_path, fault_points=point) as company:
        company.attack()
        until(lambda: company.server.process.poll() is not None, seconds=40)
        company.server.collect()
        company.restart()
        settle_unknown(company)
        the_run_ends_as_it_would_have(company)


@pytest.mark.parametrize("number", range(RANDOM_KILLS))
def test_killed_at_a_random_moment_the_run_ends_as_it_would_have(tmp_path: Path, number: int) -> None:
    moment = random.Random(SEED + number).uniform(0.0, 1.5)
    print(f"random kill {number + 1} of {RANDOM_KILLS}, {moment:.3f} s after the alert, seed {SEED}")
    with Company(tmp_path) as company:
        company.attack()
        until(lambda: company.get("alerts"), seconds=20, every=0.02)
        time.sleep(moment)
        company.server.kill()
        company.restart()
        settle_unknown(company)
        the_run_ends_as_it_would_have(company)


def settle_unknown(company: Company) -> None:
    """A mail that was under way when the server died is asked about, never sent again silently: a person says it was done."""

    def look() -> bool:
        runs = company.get("runs")
        if not runs:
            return False
        view = company.get(f"runs/{runs[0]['run_id']}")
        unknown = [action for action in flat(view["actions"]) if action["status"] == "Waiting" and action["name"] == "Send_an_email"]
        for action in unknown:
            company.post(f"runs/{runs[0]['run_id']}/decision", {"key": action["key"], "choice": "done"})
        return bool(runs[0]["ended_at"])

    until(look, seconds=60, every=0.2)


def flat(actions: list[dict[str, object]]) -> list[dict[str, object]]:
    found = []
    for action in actions:
        found.append(action)
        for branch in action.get("branches") or ():  # type: ignore[attr-defined]
            found += flat(branch["actions"])
    return found
