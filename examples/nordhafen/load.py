"""Fill an empty data folder with the night at Nordhafen Freight, for pictures and page tests of the console.

    python -m examples.nordhafen.load FOLDER        then: GUARDSHIP_HOME=FOLDER guardship up

Everything goes through the packages' own functions; only the numbers that people know from the story are set afterwards.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from examples.nordhafen.runs import Playing
from examples.nordhafen.story import HERE, Facts, Story
from sqlalchemy import update
from sqlalchemy.orm import Session

from guardship.clock import HeldClock, azure_time
from guardship.containment import isolations, way_back
from guardship.containment.isolations import Finding, Isolation, ProbeRow, Sort, State, WriteLink, WriteRow, WriteState
from guardship.detection import incidents
from guardship.detection.alerts import AlertContext, payload_of, raise_alert
from guardship.detection.classification import Classification
from guardship.detection.finding import Finding as AlertFinding
from guardship.detection.incidents import Incident, IncidentStatus
from guardship.detection.log_rows import ROWS_DUE, ask_for_rows
from guardship.detection.rules import get_rule, save_rule, set_enabled
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.errors import GuardshipError
from guardship.identity import approvals, audit, users
from guardship.identity.roles import Role
from guardship.ids import new_id
from guardship.migrations import upgrading
from guardship.playbooks.automation_rules import AutomationRules, Conditions, NewRule
from guardship.storage.database import Database
from guardship.storage.layout import Layout
from guardship.storage.outbox import OutboxEvent

ACCOUNT = "nordhafen"
ADDRESS = WorkspaceAddress()
LEASE = timedelta(hours=4)


class NotEmpty(GuardshipError):
    code = "nordhafen.not_empty"


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids of what the story tells of, by the numbers and names it uses."""

    incident_id: str
    alert_ids: dict[int, str]
    run_ids: dict[int, str]
    isolation_ids: dict[str, str]
    playbook_ids: dict[str, str]


def fill(home: Path, *, now: datetime | None = None) -> Filled:
    """Fill the folder; `now` is the moment of the story's 03:14:05."""
    layout = Layout(home)
    if layout.database.exists():
        raise NotEmpty(f"{home} holds data already", hint="the story needs a folder of its own")
    layout.make()
    upgrading.upgrade(layout.database)
    database = Database(layout.database)
    try:
        return _Night(Story(now or datetime.now(UTC)), database, layout).tell()
    finally:
        database.close()


class _Night:
    def __init__(self, story: Story, database: Database, layout: Layout) -> None:
        self._story = story
        self._facts = story.facts
        self._database = database
        self._layout = layout
        self._context = AlertContext(ADDRESS, story.machine_id)
        self._playing = Playing(story, database, layout)
        self._past: dict[str, Facts] = {}  # the newest alert by severity and hour, as a payload
        self._alerts: dict[int, Facts] = {}
        self._run_ids: dict[int, str] = {}

    def tell(self) -> Filled:
        self._add_users()
        self._publish_playbooks()
        self._raise_past()
        self._raise_alerts()
        incident_id = str(self._alerts[self._facts["alerts"][-1]["number"]]["incident_id"])
        for run in self._facts["runs"]:
            self._run_ids[run["number"]] = self._playing.run(run, self._alert_of(run))
        isolation_ids = {each["machine"]: self._isolate(each, incident_id) for each in self._facts["isolations"]}
        with self._database.transaction() as session:
            self._ask(session, incident_id)
            self._write_timeline(session, incident_id)
            self._go_blind(session)
            self._send_rows(session)
            # Whatever these events ask for has been done above; only the log rows are still to be written, by the server.
            session.execute(update(OutboxEvent).where(OutboxEvent.kind != ROWS_DUE).values(delivered_at=self._story.now))
        alert_ids = {number: str(payload["alert_id"]) for number, payload in self._alerts.items()}
        return Filled(incident_id, alert_ids, self._run_ids, isolation_ids, self._playing.playbook_ids)

    def _add_users(self) -> None:
        at = self._story.now - timedelta(days=30)
        with self._database.transaction() as session:
            for user in self._facts["users"]:
                users.create_user(
                    session, user["name"], role=Role(user["role"]), password=user["password"], at=at, display_name=user["display_name"]
                )
                audit.record(session, who="system", act="user.created", subject=user["name"], at=at, detail={"role": user["role"]})

    def _publish_playbooks(self) -> None:
        at = self._story.now - timedelta(days=2)
        rules = AutomationRules(self._database, HeldClock(at))
        for playbook in self._facts["playbooks"]:
            document = (HERE / playbook["file"]).read_text("utf-8")
            playbook_id = self._playing.publish(playbook["name"], document, by="jonas")
            with self._database.transaction() as session:
                audit.record(session, who="jonas", act="playbook.published", subject=playbook["name"], at=at)
            if rule := playbook.get("rule"):
                made = rules.create(NewRule(rule["name"], playbook_id, Conditions(severities=tuple(rule["severities"]))), by="jonas")
                rules.switch(made.rule_id, on=True, by="jonas")

    # ---- alerts and incidents

    def _raise_past(self) -> None:
        """Each of these alerts opened an incident of its own that is closed by now."""
        past, story = self._facts["past"], self._story
        total = sum(sum(counts) for _, counts in story.past_hours())
        first_alert = self._facts["alerts"][0]["number"] - total
        first_incident = self._facts["incident"]["number"] - total
        is_first = True
        for hour, counts in story.past_hours():
            severities = [severity for severity, count in zip(("High", "Medium", "Low"), counts, strict=True) for _ in range(count)]
            for place, severity in enumerate(severities):
                machine = past["machines"][0] if severity == "High" else past["machines"][1 + (severity == "Low")]
                at = hour + timedelta(minutes=40 if severity == "High" else 3 + 8 * place)
                finding = AlertFinding(
                    title=past["titles"][severity],
                    severity=Severity(severity),
                    entities=story.entities({"hosts": [machine]}),
                    started_at=at - timedelta(minutes=3),
                    ended_at=at,
                    rule_name=past["titles"][severity],
                    fingerprint=new_id("past"),
                )
                payload = self._raise_and_close(finding, at, numbers=(first_alert, first_incident) if is_first else None)
                self._past[f"{severity} {hour}"] = payload
                is_first = False

    def _raise_and_close(self, finding: AlertFinding, at: datetime, *, numbers: tuple[int, int] | None) -> Facts:
        with self._database.transaction() as session:
            alert = raise_alert(session, finding, self._context, at=at)
            if numbers:
                alert.number, session.get_one(Incident, alert.incident_id).number = numbers
            incidents.set_status(
                session,
                alert.incident_id,
                IncidentStatus.CLOSED,
                by=self._facts["past"]["by"],
                at=at + timedelta(minutes=20),
                address=ADDRESS,
                classification=Classification.BENIGN_POSITIVE,
            )
            return payload_of(alert, ADDRESS, [])

    def _raise_alerts(self) -> None:
        wanted = self._facts["incident"]
        for alert in self._facts["alerts"]:
            at = self._story.at(alert["raised"])
            with self._database.transaction() as session:
                raised = raise_alert(session, self._finding(alert), self._context, at=at)
                assert raised.number == alert["number"], raised.number
                self._alerts[raised.number] = payload_of(raised, ADDRESS, [])
                incident = session.get_one(Incident, raised.incident_id)
                if incident.owner is None:
                    owned_at = self._story.at(wanted["owned_at"])
                    incidents.set_status(session, incident.incident_id, IncidentStatus.ACTIVE, by="mara", at=owned_at, address=ADDRESS)
                    incidents.set_owner(session, incident.incident_id, wanted["owner"], by="mara", at=owned_at, address=ADDRESS)
                assert incident.number == wanted["number"], incident.number
                incident.title = wanted["title"]

    def _finding(self, alert: Facts) -> AlertFinding:
        return AlertFinding(
            title=alert["title"],
            severity=Severity(alert["severity"]),
            entities=self._story.entities(alert),
            started_at=self._story.at(alert["started"]),
            ended_at=self._story.at(alert["raised"]),
            rule_name=alert["title"],
            description=self._story.text(alert["description"]),
            tactics=tuple(alert["tactics"]),
            techniques=tuple(alert["techniques"]),
            fingerprint=str(alert["number"]),
            details=alert.get("properties", {}),
        )

    def _alert_of(self, run: Facts) -> Facts:
        if "alert" in run:
            return self._alerts[run["alert"]]
        return self._past[f"{run['past']} {self._story.at(run['at'][:5] + ':00:00')}"]

    # ---- containment

    def _isolate(self, facts: Facts, incident_id: str) -> str:
        story, machine, run_id = self._story, facts["machine"], self._run_ids[facts["run"]]
        opened = story.at(facts["opened"])
        run = next(each for each in self._facts["runs"] if each["number"] == facts["run"])
        by = {"kind": "playbook", "name": run["playbook"], "run_id": run_id, "reason": self._alert_of(run)["title"]}
        if run["by"] == "Mara Okafor":
            by = {"kind": "user", "name": "mara", "run_id": run_id, "reason": "sessions of deploy"}
        with self._database.transaction() as session:
            row = isolations.begin(
                session,
                {
                    "account": ACCOUNT,
                    "machine_id": str(story.machine_id(machine)).lower(),
                    "machine_name": machine,
                    "is_simulated": False,
                    "opened_by": by,
                    "incident_id": None if "ended" in facts else incident_id,
                    "run_id": run_id,
                    "lease_ends_at": opened + LEASE,
                },
                at=opened,
            )
            self._prove(session, row, facts)
            self._add_write(session, row, by, opened)
            detail = {"isolation_id": row.isolation_id, "machine": machine}
            who = f"playbook {run['playbook']}, run {facts['run']}" if by["kind"] == "playbook" else by["name"]
            audit.record(session, who=who, act="containment.isolate", subject=row.machine_id, at=opened, detail=detail)
            endpoint = {"base_url": "https://127.0.0.1:24444", "tenant_id": "", "client_id": ""}
            way_back.save_file(self._layout.isolations, row, way_back.undo_of(isolations.writes_of(session, row.isolation_id)), endpoint)
            return row.isolation_id

    def _prove(self, session: Session, row: Isolation, facts: Facts) -> None:
        row.state = State.ISOLATED
        row.new_connections_blocked = row.metadata_service_blocked = Finding.VERIFIED
        row.live_sessions_cut = Finding(facts.get("live_sessions_cut", Finding.VERIFIED))
        row.verified_at = self._story.at(facts["verified"])
        row.contained_at = row.verified_at if row.new_connections_blocked == row.live_sessions_cut == Finding.VERIFIED else None
        if "ended" in facts:
            row.state, row.ended_at = State.RELEASED, self._story.at(facts["ended"])
            row.ended_by, row.end_reason = facts["ended_by"], facts["end_reason"]
        for finding, name, target, result, detail in self._facts["probes"].get(row.machine_name, []):
            probe_id = new_id("prob")
            session.add(
                ProbeRow(
                    probe_id=probe_id,
                    isolation_id=row.isolation_id,
                    finding=finding,
                    name=name,
                    target=target,
                    result=result,
                    detail=detail,
                    at=row.verified_at,
                )
            )

    def _add_write(self, session: Session, row: Isolation, by: Facts, at: datetime) -> None:
        before = self._story.interface(row.machine_name, self._facts["machines"][row.machine_name]["group"])
        after = self._story.interface(row.machine_name, self._facts["closed_group"])
        write_id = new_id("writ")
        session.add(WriteLink(write_id=write_id, isolation_id=row.isolation_id))
        session.add(
            WriteRow(
                write_id=write_id,
                account=ACCOUNT,
                sort=Sort.ISOLATES,
                state=WriteState.DONE,
                kind="interface",
                method="PUT",
                resource_id=before["id"],
                api_version="2024-05-01",
                machine_ids=[row.machine_id],
                before=before,
                before_etag='W/"2a9d"',
                body=after,
                after=after,
                actor=by,
                sent_at=at,
                ended_at=at + timedelta(milliseconds=40),
            )
        )
        session.flush()

    def _ask(self, session: Session, incident_id: str) -> None:
        wanted, at = self._facts["approval"], self._story.at(self._facts["approval"]["asked"])
        approvals.ask(
            session,
            kind="containment.isolate",
            subject=str(self._story.machine_id(wanted["machine"])).lower(),
            title=wanted["title"],
            detail={"write_id": new_id("writ"), "machine": wanted["machine"], "concern": "protected", "incident_id": incident_id},
            by=wanted["by"],
            at=at,
        )

    # ---- the rest of the night

    def _write_timeline(self, session: Session, incident_id: str) -> None:
        for entry in self._facts["entries"]:
            number = entry.get("run")
            incidents.note(
                session,
                incident_id,
                entry["kind"],
                self._story.text(entry["text"]),
                at=self._story.at(entry["at"]),
                source=entry.get("source") or (f"run {number}" if number else ""),
                verdict=entry.get("verdict", ""),
                details={"run_id": self._run_ids[number]} if number else None,
            )

    def _go_blind(self, session: Session) -> None:
        blind = self._facts["blind_rule"]
        since = self._story.at(blind["since"])
        document = {"id": "nordhafen-dns", "name": blind["name"], "severity": "Medium", "query": blind["query"], "queryFrequency": "1h"}
        rule = save_rule(session, document, by="jonas", at=since)
        set_enabled(session, rule.rule_id, True, by="jonas", at=since)
        session.flush()
        row = get_rule(session, rule.rule_id)
        row.last_run_at, row.last_error, row.next_due_at = since, blind["error"], self._story.now + timedelta(hours=1)

    def _send_rows(self, session: Session) -> None:
        rows = [
            {
                "TimeGenerated": azure_time(self._story.at(row["at"])),
                "Computer": row["machine"],
                "Facility": "auth",
                "SeverityLevel": "info",
                "ProcessName": "sshd",
                "SyslogMessage": row["text"],
            }
            for row in self._facts["rows"]
        ]
        ask_for_rows(session, "Syslog", rows, at=self._story.now)


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m examples.nordhafen.load FOLDER\n")
        return 2
    try:
        filled = fill(Path(sys.argv[1]).absolute())
    except GuardshipError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"The night at Nordhafen is in {sys.argv[1]}: incident {filled.incident_id}. Sign in as mara or jonas (story.toml).\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
