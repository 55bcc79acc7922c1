"""What starts playbooks: raised alerts that an automation rule binds, "Run playbook" on a past alert, signed Request addresses.

All come down to the same call with a payload; a run answers for itself from there.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from guardship.clock import Clock, to_micros
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.playbooks.automation_rules import AutomationRules
from guardship.playbooks.definition import Trigger, Workflow
from guardship.playbooks.events import Respond
from guardship.playbooks.expressions.values import EvaluationFailed, type_name
from guardship.playbooks.firing import Firing, NotPublished
from guardship.playbooks.journal import Accepted
from guardship.playbooks.library import Library
from guardship.playbooks.runner import Runner
from guardship.playbooks.scope import RunScope
from guardship.playbooks.state import ROOT, RunState
from guardship.playbooks.triggers import REQUEST
from guardship.storage.outbox import Event
from guardship.telemetry import get_log

ALERT_RAISED = "AlertRaised"
PRIORITIES = {"High": 30, "Medium": 20, "Low": 10, "Informational": 0}
RESPONSE_SECONDS = 120.0
MOST_SPLIT = 100_000

log = get_log("triggering")


class WrongTrigger(GuardshipError):
    code = "playbooks.wrong_trigger"
    fault = Fault.CONFLICT


class BadSignature(GuardshipError):
    code = "playbooks.bad_signature"
    fault = Fault.FORBIDDEN


@dataclass(frozen=True, slots=True)
class RequestCall:
    """A call of a Request trigger's address, as it came in."""

    method: str
    headers: Mapping[str, str]
    queries: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Fired:
    """The runs that were accepted, and what the playbook's Response action said; None means 202."""

    accepted: tuple[Accepted, ...]
    response: Respond | None = None


class Triggering:
    def __init__(
        self, library: Library, runner: Runner, rules: AutomationRules, clock: Clock, *, base_url: str, signing_key: bytes
    ) -> None:
        self._library = library
        self._runner = runner
        self._rules = rules
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._signing_key = signing_key

    def on_alert_raised(self, event: Event) -> None:
        """Start what is armed for the alert; the same event twice starts nothing twice."""
        alert: dict[str, Any] = event.payload
        for rule in self._rules.fitting(alert):
            try:
                self._start(rule.playbook_id, alert, by=f"automation rule {rule.name}", dedup_key=str(alert["alert_id"]))
            except (NotFound, NotPublished, WrongTrigger) as error:
                log.warning("automation_rule.cannot_start", rule=rule.name, alert_id=alert["alert_id"], reason=str(error))

    def run_on_alert(self, playbook_id: str, alert: Mapping[str, Any], *, by: str, person: str | None = None) -> Accepted | None:
        """Exactly the trigger the alert would have sent; needs no automation rule. None: the trigger's conditions do not hold."""
        accepted = self._start(playbook_id, alert, by=by, person=person, dedup_key=None)
        return accepted[0] if accepted else None

    def fits_alerts(self, playbook_id: str) -> bool:
        """Whether "Run playbook" makes sense on an alert."""
        return _alert_trigger(self._library.published(playbook_id).workflow, ("security_center_alert", "sentinel_alert")) is not None

    def _start(
        self, playbook_id: str, alert: Mapping[str, Any], *, by: str, dedup_key: str | None, person: str | None = None
    ) -> list[Accepted]:
        published = self._library.published(playbook_id)
        payloads: Mapping[str, Any] = alert.get("triggers") or {}
        trigger = _alert_trigger(published.workflow, payloads)
        if trigger is None:
            raise WrongTrigger(f"{published.playbook_name} is not started by an alert")
        headers = {"x-ms-client-tracking-id": str(alert.get("alert_id"))}
        bodies = self._bodies(published.workflow, trigger, {"headers": headers, "body": payloads[trigger.payload]})
        accepted = []
        for index, body in enumerate(bodies):
            firing = Firing(
                playbook_id,
                trigger.name,
                body,
                headers,
                priority=PRIORITIES.get(str(alert.get("severity")), 10),
                alert_id=alert.get("alert_id"),
                incident_id=alert.get("incident_id"),
                by=by,
                person=person,
            )
            key = dedup_key if dedup_key is None or not index else f"{dedup_key}/{index}"
            accepted.append(self._runner.accept(firing, dedup_key=key))
        return accepted

    def _bodies(self, workflow: Workflow, trigger: Trigger, outputs: dict[str, Any]) -> list[Any]:
        """What the trigger's conditions and splitOn make of one payload: no run, one run, or one an item."""
        state = RunState("", trigger={"name": trigger.name, "outputs": outputs})
        scope = RunScope(workflow, state, ROOT, "", to_micros(self._clock.now()), os.urandom(16))
        try:
            if not all(condition(scope).holds for condition in trigger.conditions):
                return []
            if trigger.split_on is None:
                return [outputs["body"]]
            items = trigger.split_on(scope)
        except EvaluationFailed as error:
            raise WrongTrigger(f"the trigger {trigger.name} cannot take this payload: {error.message}") from error
        if not isinstance(items, list) or len(items) > MOST_SPLIT:
            raise WrongTrigger(
                f"splitOn of {trigger.name} needs an array of at most {MOST_SPLIT} items, it has a value of type {type_name(items)}"
            )
        return items

    # ---- Request triggers

    def callback_url(self, playbook_id: str, trigger_name: str) -> str:
        signature = self._signature(playbook_id, trigger_name)
        place = f"{self._base_url}/workflows/{playbook_id}/triggers/{quote(trigger_name)}/paths/invoke"
        return f"{place}?sp=%2Ftriggers%2F{quote(trigger_name)}%2Frun&sv=1.0&sig={signature}"

    def request_triggers(self, playbook_id: str) -> list[str]:
        return [trigger.name for trigger in self._library.published(playbook_id).workflow.triggers if trigger.payload == REQUEST]

    def _signature(self, playbook_id: str, trigger_name: str) -> str:
        return hmac.new(self._signing_key, f"{playbook_id}/{trigger_name.casefold()}/run/1.0".encode(), hashlib.sha256).hexdigest()

    def check_signature(self, playbook_id: str, trigger_name: str, signature: str) -> None:
        """Raises BadSignature; asks nobody, so that it can come before the body is read."""
        if not hmac.compare_digest(signature.encode(), self._signature(playbook_id, trigger_name).encode()):
            raise BadSignature("the signature of this address is not valid")

    async def fire_request(self, playbook_id: str, trigger_name: str, call: RequestCall, *, signature: str) -> Fired:
        """A call of the signed address; returns after the commit, or with what the playbook's Response says."""
        self.check_signature(playbook_id, trigger_name, signature)
        return await self.fire_manually(playbook_id, trigger_name, call, by="request")

    async def fire_manually(
        self, playbook_id: str, trigger_name: str | None, call: RequestCall, *, by: str, person: str | None = None
    ) -> Fired:
        """The same from the console, whose user has signed in."""
        workflow = self._library.published(playbook_id).workflow
        folded = trigger_name.casefold() if trigger_name else None
        trigger = next((one for one in workflow.triggers if folded is None or one.name.casefold() == folded), None)
        if trigger is None:
            raise NotFound("trigger", trigger_name or "")
        if trigger.method is not None and trigger.method != call.method.upper():
            raise WrongTrigger(f"the trigger {trigger.name} takes {trigger.method}, not {call.method}")
        headers = {name: value for name, value in call.headers.items() if name.lower() not in ("authorization", "cookie")}
        bodies = self._bodies(workflow, trigger, {"headers": headers, "queries": dict(call.queries), "body": call.body})
        waits = workflow.has_response and trigger.split_on is None
        accepted = []
        for body in bodies:
            tracking_id = _tracking_id(headers)
            firing = Firing(playbook_id, trigger.name, body, headers, call.queries, by=by, person=person, client_tracking_id=tracking_id)
            accepted.append(await self._runner.accept_soon(firing, wants_response=waits))
        if not waits or not accepted:
            return Fired(tuple(accepted))
        return Fired(tuple(accepted), await self._runner.response(accepted[0].run_id, RESPONSE_SECONDS))


def _tracking_id(headers: Mapping[str, str]) -> str | None:
    given = next((value for name, value in headers.items() if name.lower() == "x-ms-client-tracking-id"), None)
    return given[:200] if given else None


def _alert_trigger(workflow: Workflow, payloads: Any) -> Trigger | None:
    return next((trigger for trigger in workflow.triggers if trigger.payload in payloads), None)
