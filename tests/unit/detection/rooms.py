"""Detection as tests use it: a database and a workspace in a folder, an outbox delivered by hand, a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.databases import opened_in
from tests.unit.workspace.rooms import START, Workspace, opened

from guardship.clock import HeldClock, iso
from guardship.detection.alerts import ALERT_RAISED, Alert, AlertContext
from guardship.detection.analytics import Scheduler
from guardship.detection.finding import Finding
from guardship.detection.log_rows import ROWS_DUE, LogRows
from guardship.detection.rules import save_rule, set_enabled
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.storage.database import Database
from guardship.storage.outbox import Outbox

ADDRESS = WorkspaceAddress(subscription_id="S", resource_group="RG", workspace_id="W", console_url="https://p")


def arm_id(name: str) -> str | None:
    return f"/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/{name}" if name.startswith("web") else None


@dataclass
class Detection:
    workspace: Workspace
    database: Database
    scheduler: Scheduler
    outbox: Outbox
    context: AlertContext
    raised: list[dict[str, Any]] = field(default_factory=list)  # payloads of AlertRaised, as delivered

    @property
    def clock(self) -> HeldClock:
        return self.workspace.clock

    def say(self, message: str, *, computer: str = "web-1", ago_seconds: float = 0.0) -> None:
        moment = self.clock.now() - timedelta(seconds=ago_seconds)
        row = {"TimeGenerated": iso(moment), "Computer": computer, "ProcessName": "sshd", "SyslogMessage": message}
        self.workspace.ingest.ingest("Syslog", [row])

    def arm(self, **changes: Any) -> str:
        """A rule over Syslog that is switched on; `changes` are keys of its document."""
        document = {
            "id": changes.pop("id", "test"),
            "name": "A word in the log",
            "severity": "High",
            "queryFrequency": "10s",
            "queryPeriod": "10s",
            "query": "Syslog | where SyslogMessage has 'alarm'",
            "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
            "entityMappings": [{"entityType": "Host", "fieldMappings": [{"identifier": "HostName", "columnName": "Computer"}]}],
            **changes,
        }
        with self.database.transaction() as session:
            rule = save_rule(session, document, by="ada", at=self.clock.now())
            set_enabled(session, rule.rule_id, True, by="ada", at=self.clock.now())
        return rule.rule_id

    def run(self, *, after_seconds: float = 0.0) -> list[Alert]:
        self.clock.advance(timedelta(seconds=after_seconds))
        return self.scheduler.run_due()

    def finding(self, **changes: Any) -> Finding:
        values = {
            "title": "Something",
            "severity": Severity.MEDIUM,
            "entities": [{"Type": "host", "HostName": "web-1"}],
            "started_at": self.clock.now() - timedelta(minutes=1),
            "ended_at": self.clock.now(),
            "rule_id": "rule_x",
            "rule_name": "X",
        }
        return Finding(**{**values, **changes})


@contextmanager
def detecting(folder: Path) -> Iterator[Detection]:
    database = opened_in(folder, "g.db")
    with opened(folder) as workspace:
        context = AlertContext(ADDRESS, arm_id)
        scheduler = Scheduler(database, workspace.search, workspace.ingest, workspace.clock, context)
        detection = Detection(workspace, database, scheduler, Outbox(database, workspace.clock), context)
        detection.outbox.subscribe(ALERT_RAISED, lambda event: detection.raised.append(event.payload))
        detection.outbox.subscribe(ROWS_DUE, LogRows(workspace.ingest).on_rows_due)
        try:
            yield detection
        finally:
            scheduler.stop()
            detection.outbox.stop()
    database.close()


__all__ = ["ADDRESS", "START", "Detection", "arm_id", "detecting"]
