"""The demo's own content: tokens for the lab's machines, the article's runbook and playbook, the rule and what binds them.

Everything is put in by the same functions that people use. What somebody has changed or switched off since stays so.
"""

from pathlib import Path
from typing import Any

from guardship.api.doors import Doors
from guardship.automation import assets, runbooks
from guardship.automation.assets import AssetKind, AssetNotFound
from guardship.automation.runbooks import RunbookKind
from guardship.detection import rules
from guardship.detection.shipped_rules import import_shipped
from guardship.errors import NotFound
from guardship.identity import audit
from guardship.playbooks.automation_rules import Conditions, NewRule
from guardship.server.connecting import LAB_ACCOUNT

BY = "the lab"
MACHINES = ("jump-1", "web-1", "web-2", "db-1")
TABLES = ("Syslog",)
CONNECTION = "AzureRunAsConnection"
RULE_ID = "rule_ssh-password-guessing-then-session"
RULE_SECONDS = 2.0
PLAYBOOK = "Isolate on a High alert"
RUNBOOK = "IsolateVM"
AUTOMATION_RULE = "High alerts isolate the machine"
_CONTENT = Path(__file__).with_name("content")


class DemoContent:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def issue_tokens(self) -> dict[str, str]:
        """A token for each machine of the lab, good for its own rows alone; those of an earlier lab end."""
        tokens = self._doors.ingest_tokens
        for row in tokens.all():
            if row.name.startswith(f"{BY}: ") and row.revoked_at is None:
                tokens.revoke(row.token_id)
        return {machine: tokens.issue(f"{BY}: {machine}", tables=TABLES, machine=machine).token for machine in MACHINES}

    def install(self) -> None:
        """Once: what is there already is left as it is."""
        self._put_connection()
        self._put_runbook()
        playbook_id = self._put_playbook()
        self._put_automation_rule(playbook_id)
        self._switch_rule_on()

    def _put_connection(self) -> None:
        doors = self._doors
        cloud = doors.clouds.named(LAB_ACCOUNT)
        fields = {
            "TenantId": cloud.arm.endpoint.tenant_id,
            "ApplicationId": cloud.arm.endpoint.client_id,
            "SubscriptionId": cloud.subscription_id,
            "CertificateThumbprint": "",
        }
        with doors.database.transaction() as session:
            try:
                known: Any = assets.asset(session, AssetKind.CONNECTION, CONNECTION)
            except AssetNotFound:
                known = None
            if known is None or known.changed_by == BY:
                assets.put_asset(
                    session, AssetKind.CONNECTION, CONNECTION, fields=fields, secrets=None, vault=doors.vault, by=BY, at=doors.clock.now()
                )

    def _put_runbook(self) -> None:
        doors, at = self._doors, self._doors.clock.now()
        script = (_CONTENT / "IsolateVM.py").read_text("utf-8")
        with doors.database.transaction() as session:
            try:
                runbooks.runbook_named(session, RUNBOOK)
            except NotFound:
                runbooks.save_draft(session, RUNBOOK, script, kind=RunbookKind.PYTHON, at=at)
                runbooks.publish(session, RUNBOOK, by=BY, at=at)
                audit.record(session, who=BY, act="runbook.published", subject=RUNBOOK, at=at)

    def _put_playbook(self) -> str:
        library = self._doors.library
        try:
            return library.named(PLAYBOOK).playbook_id
        except NotFound:
            draft = library.import_definition(PLAYBOOK, (_CONTENT / "isolate-on-a-high-alert.json").read_text("utf-8"), by=BY)[0]
            library.publish(draft.playbook_id, by=BY)
            return draft.playbook_id

    def _put_automation_rule(self, playbook_id: str) -> None:
        bindings = self._doors.automation_rules
        if any(row.name == AUTOMATION_RULE for row in bindings.all()):
            return
        conditions = Conditions(severities=("High", "Medium"), analytics_rules=(RULE_ID,))
        row = bindings.create(NewRule(AUTOMATION_RULE, playbook_id, conditions), by=BY)
        bindings.switch(row.rule_id, on=True, by=BY)

    def _switch_rule_on(self) -> None:
        doors, at = self._doors, self._doors.clock.now()
        with doors.database.transaction() as session:
            import_shipped(session, at=at)
            session.flush()
            row = rules.get_rule(session, RULE_ID)
            if row.changed_by in ("guardship", BY):
                rules.set_enabled(session, RULE_ID, True, by=BY, at=at, frequency_seconds=RULE_SECONDS)
