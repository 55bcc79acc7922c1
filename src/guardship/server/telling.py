"""What each event of the outbox means to people: a line on the incident's timeline, an item of news for open pages."""

import asyncio
from datetime import datetime
from typing import Any

from guardship.api.news import News
from guardship.detection import incidents
from guardship.errors import GuardshipError
from guardship.playbooks.library import Library
from guardship.playbooks.run_rows import RunRow
from guardship.playbooks.runs import Runs
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.telemetry import get_log

log = get_log("telling")


class Telling:
    def __init__(self, database: Database, news: News, runs: Runs, library: Library) -> None:
        self._database = database
        self._news = news
        self._runs = runs
        self._library = library
        self._told: dict[str, str] = {}
        self._waiting: set[str] = set()

    def alert_raised(self, event: outbox.Event) -> None:
        facts = {name: event.payload[name] for name in ("number", "severity", "title", "incident_id", "raised_at")}
        self._news.tell("alert", event.payload["alert_id"], machine=event.payload["compromised_entity"], **facts)
        self._news.tell("incident", event.payload["incident_id"])

    def isolation_opened(self, event: outbox.Event) -> None:
        payload = event.payload
        self._news.tell("isolation", payload["isolation_id"], machine=payload["machine_name"], state="opened", by=payload["by"])
        self._note(payload, f"{payload['machine_name']} was moved to the closed security group", "", event)

    def isolation_verified(self, event: outbox.Event) -> None:
        payload = event.payload
        names = ("new_connections_blocked", "live_sessions_cut", "metadata_service_blocked")
        findings = {name: payload[name] for name in names}
        self._news.tell("isolation", payload["isolation_id"], machine=payload["machine_name"], state="verified", **findings)
        is_proved = findings["new_connections_blocked"] == findings["live_sessions_cut"] == "verified"
        self._note(
            payload, f"Isolation of {payload['machine_name']} probed: {words_of(findings)}", "Proved" if is_proved else "Not proved", event
        )

    def isolation_released(self, event: outbox.Event) -> None:
        payload = event.payload
        self._news.tell("isolation", payload["isolation_id"], machine=payload["machine_name"], state="released", by=payload["by"])
        reason = payload.get("end_reason")
        self._note(payload, f"{payload['machine_name']} was released" + (f": {reason}" if reason else ""), "Released", event)

    def approval_asked(self, event: outbox.Event) -> None:
        self._news.tell("approval", event.payload["approval_id"], answer="waiting", title=event.payload["title"])
        if incident_id := (event.payload.get("detail") or {}).get("incident_id"):
            self._note({"incident_id": incident_id}, event.payload["title"], "Waiting", event)

    def approval_answered(self, event: outbox.Event) -> None:
        self._news.tell("approval", event.payload["approval_id"], answer=event.payload["answer"])

    def run_changed(self, run_id: str) -> None:
        """Called in the runner's loop after each commit; the look-up is made later and once for many commits."""
        if run_id in self._waiting:
            return
        self._waiting.add(run_id)
        asyncio.get_running_loop().create_task(self._tell_run(run_id))

    async def _tell_run(self, run_id: str) -> None:
        self._waiting.discard(run_id)
        try:
            run = await asyncio.to_thread(self._runs.rows.run, run_id)
            name = self._library.version(run.playbook_version_id).playbook_name
        except GuardshipError as error:
            log.warning("telling.run_not_read", run_id=run_id, reason=str(error))
            return
        ended = run.ended_at is not None
        self._news.tell("run", run_id, number=run.number, status=run.status, ended=ended, playbook=name, incident_id=run.incident_id)
        await asyncio.to_thread(self._note_run, run, name)

    def _note_run(self, run: RunRow, name: str) -> None:
        """One line when a run begins and one when it ends."""
        if run.incident_id is None:
            return
        stage = "ended" if run.ended_at is not None else "begun"
        if self._told.get(run.run_id) in (stage, "ended"):
            return
        is_first = run.run_id not in self._told
        self._told[run.run_id] = stage
        detail = {"run_id": run.run_id, "playbook_id": run.playbook_id}
        with self._database.transaction() as session:
            if is_first and run.started_at is not None:
                text = f"Playbook {name} started"
                incidents.note(session, run.incident_id, "run", text, at=run.started_at, source=f"run {run.number}", details=detail)
            if run.ended_at is not None:
                text = f"Playbook {name} ended"
                incidents.note(
                    session, run.incident_id, "run", text, at=run.ended_at, source=f"run {run.number}", verdict=run.status, details=detail
                )

    def _note(self, payload: dict[str, Any], text: str, verdict: str, event: outbox.Event) -> None:
        if not payload.get("incident_id"):
            return
        at = datetime.fromisoformat(payload["at"]) if "at" in payload else event.written_at
        details = {name: payload[name] for name in ("isolation_id", "run_id") if payload.get(name)}
        with self._database.transaction() as session:
            incidents.note(
                session,
                payload["incident_id"],
                "containment",
                text,
                at=at,
                source=str(payload.get("by", "")),
                verdict=verdict,
                details=details,
            )
        self._news.tell("incident", payload["incident_id"])


_WORDS = {
    "new_connections_blocked": {
        "verified": "new connections blocked",
        "failed": "new connections still pass",
        "not_verified": "new connections not proved",
    },
    "live_sessions_cut": {"verified": "sessions cut", "failed": "a session is still live", "not_verified": "sessions not proved"},
    "metadata_service_blocked": {
        "verified": "cloud identity shut",
        "failed": "cloud identity open",
        "not_verified": "cloud identity not proved",
    },
}


def words_of(findings: dict[str, str]) -> str:
    """The three findings as a person would say them."""
    return ", ".join(_WORDS[name][value] for name, value in findings.items())
