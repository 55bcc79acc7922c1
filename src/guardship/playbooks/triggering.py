"""What starts playbooks: raised alerts that an automation rule binds, "Run playbook" on a past alert, signed Request addresses.

All come down to the same call with a payload; a run answers for itself from there.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.playbooks.actions.data import mismatch
from guardship.playbooks.automation_rules import AutomationRules
from guardship.playbooks.definition import Trigger, Workflow
from guardship.playbooks.events import Respond
from guardship.playbooks.expressions.values import EvaluationFailed, text_of, type_name
from guardship.playbooks.firing import Firing, NotPublished, Published
from guardship.playbooks.journal import Accepted
from guardship.playbooks.library import Library
from guardship.playbooks.runner import Runner
from guardship.playbooks.standing import Standing
from guardship.playbooks.trigger_scope import trigger_scope
from guardship.playbooks.triggers import REQUEST
from guardship.storage.outbox import Event
from guardship.telemetry import get_log

ALERT_RAISED = "AlertRaised"
PRIORITIES = {"High": 30, "Medium": 20, "Low": 10, "Informational": 0}
ALERTS = ("security_center_alert", "sentinel_alert")
ARMED = (*ALERTS, "sentinel_incident")
RESPONSE_SECONDS = 120.0
MOST_SPLIT = 100_000

log = get_log("triggering")


class WrongTrigger(GuardshipError):
    code = "playbooks.wrong_trigger"
    fault = Fault.CONFLICT


class WrongPath(GuardshipError):
    code = "playbooks.wrong_path"
    fault = Fault.NOT_FOUND


class InvalidBody(GuardshipError):
    code = "playbooks.invalid_body"
    fault = Fault.BAD_INPUT


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
    path: str = ""  # behind the address


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
        self._standing: Standing | None = None

    def stand(self, standing: Standing) -> None:
        """Given late: what starts by itself fires through here."""
        self._standing = standing

    def on_alert_raised(self, event: Event) -> None:
        """Start what is armed for the alert; the same event twice starts nothing twice."""
        self._start_armed(event.payload, str(event.payload["alert_id"]))

    def on_incident_created(self, event: Event) -> None:
        """The same for an incident, once with the alert that opened it."""
        self._start_armed(event.payload, str(event.payload["incident_id"]))

    def _start_armed(self, payload: dict[str, Any], dedup_key: str) -> None:
        for rule in self._rules.fitting(payload):
            try:
                if self.fits(rule.playbook_id, payload["triggers"]):
                    self._start(rule.playbook_id, payload, by=f"automation rule {rule.name}", dedup_key=dedup_key)
                elif not self.fits(rule.playbook_id, ARMED):
                    log.warning("automation_rule.cannot_start", rule=rule.name, reason="the playbook starts from no alert and no incident")
            except (NotFound, NotPublished, WrongTrigger) as error:
                log.warning("automation_rule.cannot_start", rule=rule.name, about=dedup_key, reason=str(error))

    def run_on(self, playbook_id: str, payload: Mapping[str, Any], *, by: str, person: str | None = None) -> Accepted | None:
        """Exactly the trigger that this alert, incident or entity sends; needs no automation rule. None: its conditions do not hold."""
        accepted = self._start(playbook_id, payload, by=by, person=person, dedup_key=None)
        return accepted[0] if accepted else None

    def fits(self, playbook_id: str, payloads: Any) -> bool:
        """Whether the playbook has a trigger that one of these payloads starts."""
        return _alert_trigger(self._library.published(playbook_id).workflow, payloads) is not None

    def fits_alerts(self, playbook_id: str) -> bool:
        """Whether "Run playbook" makes sense on an alert."""
        return self.fits(playbook_id, ALERTS)

    def _start(
        self, playbook_id: str, alert: Mapping[str, Any], *, by: str, dedup_key: str | None, person: str | None = None
    ) -> list[Accepted]:
        published = self._library.published(playbook_id)
        payloads: Mapping[str, Any] = alert.get("triggers") or {}
        trigger = _alert_trigger(published.workflow, payloads)
        if trigger is None:
            known = " or ".join(payloads)
            raise WrongTrigger(f"{published.playbook_name} is not started by this: it has no trigger for {known}")
        headers = {"x-ms-client-tracking-id": str(alert.get("alert_id") or alert.get("incident_id"))}
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
        scope = trigger_scope(workflow, trigger, outputs, self._clock.now())
        try:
            if not all(condition(scope).holds for condition in trigger.conditions):
                return []
            if trigger.split_on is None:
                return [outputs.get("body")]
            items = trigger.split_on(scope)
        except EvaluationFailed as error:
            raise WrongTrigger(f"the trigger {trigger.name} cannot take this payload: {error.message}") from error
        if not isinstance(items, list) or len(items) > MOST_SPLIT:
            raise WrongTrigger(
                f"splitOn of {trigger.name} needs an array of at most {MOST_SPLIT} items, it has a value of type {type_name(items)}"
            )
        return items

    async def fire(
        self, published: Published, trigger: Trigger, outputs: Mapping[str, Any], *, dedup_key: str | None, by: str = ""
    ) -> list[Accepted]:
        """A trigger that starts by itself; the same `dedup_key` makes the same runs."""
        self._runner.slots.demand_room(published.playbook_id, published.playbook_name, trigger)
        more = {name: value for name, value in outputs.items() if name not in ("headers", "body", "queries")}
        headers, queries = outputs.get("headers") or {}, outputs.get("queries") or {}
        accepted = []
        for index, body in enumerate(self._bodies(published.workflow, trigger, dict(outputs))):
            firing = Firing(
                published.playbook_id,
                trigger.name,
                body,
                headers,
                queries,
                by=by or f"trigger {trigger.name}",
                client_tracking_id=self._tracking_id(published.workflow, trigger, outputs, headers),
                more=more,
            )
            key = dedup_key if dedup_key is None or not index else f"{dedup_key}/{index}"
            accepted.append(await self._runner.accept_soon(firing, dedup_key=key))
        return accepted

    def _tracking_id(self, workflow: Workflow, trigger: Trigger, outputs: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
        """As the trigger's `correlation` says, else as the caller does."""
        if trigger.tracking_id is not None:
            try:
                made = text_of(trigger.tracking_id(trigger_scope(workflow, trigger, outputs, self._clock.now())))
            except EvaluationFailed as error:
                raise WrongTrigger(f"the clientTrackingId of {trigger.name} cannot be worked out: {error.message}") from error
            return made[:200] or None
        given = next((value for name, value in headers.items() if name.lower() == "x-ms-client-tracking-id"), None)
        return given[:200] if given else None

    # ---- Request triggers

    def callback_url(self, playbook_id: str, trigger_name: str) -> str:
        signature = self._signature(playbook_id, trigger_name)
        place = f"{self._base_url}/workflows/{playbook_id}/triggers/{quote(trigger_name)}/paths/invoke"
        return f"{place}?sp=%2Ftriggers%2F{quote(trigger_name)}%2Frun&sv=1.0&sig={signature}"

    def request_triggers(self, playbook_id: str) -> list[str]:
        triggers = self._library.published(playbook_id).workflow.triggers
        return [trigger.name for trigger in triggers if trigger.payload == REQUEST and trigger.call is None]

    def _signature(self, playbook_id: str, trigger_name: str) -> str:
        return hmac.new(self._signing_key, f"{playbook_id}/{trigger_name.casefold()}/run/1.0".encode(), hashlib.sha256).hexdigest()

    def check_signature(self, playbook_id: str, trigger_name: str, signature: str) -> None:
        """Raises BadSignature; asks nobody, so that it can come before the body is read."""
        if not hmac.compare_digest(signature.encode(), self._signature(playbook_id, trigger_name).encode()):
            raise BadSignature("the signature of this address is not valid")

    async def fire_request(self, playbook_id: str, trigger_name: str, call: RequestCall, *, signature: str) -> Fired:
        """A call of the signed address; returns after the commit, or with what the playbook's Response says."""
        self.check_signature(playbook_id, trigger_name, signature)
        published = self._library.published(playbook_id)
        trigger = _trigger_named(published.workflow, trigger_name)
        if trigger.call is not None:
            return await self._called(published, trigger, call)
        return await self.fire_manually(playbook_id, trigger_name, call, by="request")

    async def _called(self, published: Published, trigger: Trigger, call: RequestCall) -> Fired:
        """Somebody calls the address of a subscription; while the playbook is off that starts nothing."""
        if self._standing is None or not self._standing.is_on(published.playbook_id, trigger.name):
            raise WrongTrigger(f"{published.playbook_name} is switched off")
        outputs: dict[str, Any] = {"headers": _shown(call.headers), "queries": dict(call.queries), "body": call.body}
        if trigger.fetch is not None:
            asked = await self._standing.asking.fetch(published, trigger, outputs)
            if not asked.fires:
                return Fired(())
            outputs = dict(asked.outputs)
        return Fired(tuple(await self.fire(published, trigger, outputs, dedup_key=None)))

    async def fire_manually(
        self, playbook_id: str, trigger_name: str | None, call: RequestCall, *, by: str, person: str | None = None
    ) -> Fired:
        """The same from the console, whose user has signed in."""
        published = self._library.published(playbook_id)
        workflow = published.workflow
        trigger = _trigger_named(workflow, trigger_name)
        self._runner.slots.demand_room(playbook_id, published.playbook_name, trigger)
        headers = _shown(call.headers)
        outputs: dict[str, Any] = {"headers": headers, "queries": dict(call.queries), "body": call.body}
        more = _of_request(trigger, call)
        bodies = self._bodies(workflow, trigger, outputs | more)
        waits = workflow.has_response and trigger.split_on is None
        tracking_id = self._tracking_id(workflow, trigger, outputs, headers)
        accepted = []
        for body in bodies:
            firing = Firing(
                playbook_id, trigger.name, body, headers, call.queries, by=by, person=person, client_tracking_id=tracking_id, more=more
            )
            accepted.append(await self._runner.accept_soon(firing, wants_response=waits))
        if not waits or not accepted:
            return Fired(tuple(accepted))
        return Fired(tuple(accepted), await self._runner.response(accepted[0].run_id, RESPONSE_SECONDS))


def _trigger_named(workflow: Workflow, name: str | None) -> Trigger:
    """The first one where no name is given."""
    folded = name.casefold() if name else None
    trigger = next((one for one in workflow.triggers if folded is None or one.name.casefold() == folded), None)
    if trigger is None:
        raise NotFound("trigger", name or "")
    return trigger


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """What a caller sent, without what lets it in."""
    return {name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")}


def _of_request(trigger: Trigger, call: RequestCall) -> dict[str, Any]:
    """What a Request trigger asks of a call: the method, the path, the schema; and the values in the path."""
    if trigger.method is not None and trigger.method != call.method.upper():
        raise WrongTrigger(f"the trigger {trigger.name} takes {trigger.method}, not {call.method}")
    if trigger.checks_schema and trigger.schema is not None and (wrong := mismatch(call.body, trigger.schema)):
        raise InvalidBody(f"the body does not fit the schema of the trigger {trigger.name}: {wrong}")
    if trigger.relative_path is None:
        return {}
    names = re.findall(r"\{(\w+)\}", trigger.relative_path)
    pieces = re.split(r"\{\w+\}", trigger.relative_path)
    pattern = "([^/]+)".join(re.escape(piece) for piece in pieces)
    found = re.fullmatch(pattern, call.path.strip("/"), re.IGNORECASE)
    if found is None:
        raise WrongPath(f"the trigger {trigger.name} is called at …/paths/invoke/{trigger.relative_path}, not …/{call.path.strip('/')}")
    return {"relativePathParameters": dict(zip(names, map(unquote, found.groups()), strict=True))}


def _alert_trigger(workflow: Workflow, payloads: Any) -> Trigger | None:
    return next((trigger for trigger in workflow.triggers if trigger.payload in payloads), None)
