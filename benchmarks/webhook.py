"""Runs a second through the whole server: a Request trigger, a condition, a call to a sink, and every run kept.

With `--bench-scripts FOLDER` the load of that folder's `wfload.py` is put on the same server in the same minutes.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.running import RunningServer

from benchmarks.figures import Figure, quantile
from benchmarks.webhook_load import Came, load

NAME = "Webhook bench"
USERS = 32
_TRIGGER = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}}
_CALL = {
    "type": "Http",
    "inputs": {
        "method": "POST",
        "uri": "@{triggerBody()?['callback']}",
        "headers": {"Content-Type": "application/json"},
        "body": {"id": "@{triggerBody()?['id']}", "vm": "@{triggerBody()?['compromisedEntity']}"},
    },
    "runAfter": {},
}
DEFINITION: dict[str, Any] = {
    "triggers": _TRIGGER,
    "actions": {
        "Is_high": {
            "type": "If",
            "expression": {"and": [{"equals": ["@triggerBody()?['severity']", "High"]}]},
            "actions": {"Call": _CALL},
            "else": {"actions": {}},
            "runAfter": {},
        }
    },
}


def publish(server: RunningServer, name: str, definition: dict[str, Any]) -> tuple[str, str]:
    """The playbook's id, and the address of its Request trigger if it has one."""
    with server.client() as api:
        drafts = api.post("playbooks", json={"name": name, "document": json.dumps(definition)})
        drafts.raise_for_status()
        playbook_id = drafts.json()[0]["playbook_id"]
        published = api.post(f"playbooks/{playbook_id}/publish")
        published.raise_for_status()
    return playbook_id, next(iter(published.json()["callback_urls"].values()), "")


def figures(folder: Path, *, is_quick: bool, bench_scripts: Path | None) -> list[Figure]:
    alerts = 300 if is_quick else 3000
    with RunningServer(folder / "webhook", outbound_private="true") as server:
        playbook_id, url = publish(server, NAME, DEFINITION)
        asyncio.run(load(url, alerts=50, users=USERS))
        before = _kept(server, playbook_id)
        many = asyncio.run(load(url, alerts=alerts, users=USERS))
        kept = _kept(server, playbook_id) - before
        one = asyncio.run(load(url, alerts=max(alerts // 10, 50), users=1))
        made = [_many(many, kept), *_latencies(many, one)]
        if bench_scripts is not None and (bench_scripts / "wfload.py").exists():
            made.append(_by_script(bench_scripts / "wfload.py", url, alerts))
    return made


def _many(came: Came, kept: int) -> Figure:
    lost = came.acknowledged - kept
    note = f"kept {kept} of {came.acknowledged} acknowledged; missing {came.missing}, wrong calls {came.wrong_calls}"
    if came.errors:
        note += f", errors {dict(came.errors)}"
    is_whole = lost == 0 and not came.missing and not came.wrong_calls and not came.errors
    return Figure(f"webhook runs, {USERS} users", came.runs_per_second, "runs/s", "all kept", is_whole, note=note)


def _latencies(many: Came, one: Came) -> list[Figure]:
    return [
        Figure(f"webhook to sink, {USERS} users, p50", quantile(many.end_to_end_ms, 0.5), "ms"),
        Figure(f"webhook to sink, {USERS} users, p99", quantile(many.end_to_end_ms, 0.99), "ms"),
        Figure("webhook to sink, one user, p50", quantile(one.end_to_end_ms, 0.5), "ms"),
        Figure("webhook to sink, one user, p99", quantile(one.end_to_end_ms, 0.99), "ms"),
    ]


def _kept(server: RunningServer, playbook_id: str) -> int:
    """Runs in the database that have ended; the last few may still be on their way."""
    deadline = time.monotonic() + 20
    with closing(sqlite3.connect(f"file:{server.home / 'guardship.db'}?mode=ro", uri=True, isolation_level=None)) as connection:
        while True:
            total, ended = connection.execute(
                "SELECT count(*), count(ended_at) FROM playbooks_run WHERE playbook_id = ?", (playbook_id,)
            ).fetchone()
            if total == ended or time.monotonic() > deadline:
                return int(ended)
            time.sleep(0.05)


def _by_script(script: Path, url: str, alerts: int) -> Figure:
    command = [sys.executable, str(script), "--url", url, "--n", str(alerts), "--conc", str(USERS), "--label", "ours"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout)
    bad = {name: told[name] for name in ("errors", "missing", "double_calls", "unexpected_calls") if told[name]}
    return Figure(
        "webhook runs, by wfload.py", told["executions_s"], "runs/s", "all kept", not bad, note=f"p99 {told['e2e_p99_ms']} ms {bad or ''}"
    )
