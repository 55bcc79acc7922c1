"""A trigger that fired becomes a run that can be accepted."""

from typing import Any

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.expressions.bounds import MOST_DEPTH, is_too_deep
from guardship.playbooks.firing import Firing, Published
from guardship.playbooks.journal import NewRun


class TriggerTooDeep(GuardshipError):
    code = "playbooks.trigger_too_deep"
    fault = Fault.BAD_INPUT


def new_run(run_id: str, firing: Firing, published: Published, dedup_key: str | None) -> NewRun:
    if is_too_deep(firing.body):
        raise TriggerTooDeep(f"what the trigger brings is nested more than {MOST_DEPTH} deep")
    outputs: dict[str, Any] = {"headers": dict(firing.headers), "body": firing.body}
    if firing.queries:
        outputs["queries"] = dict(firing.queries)
    if firing.more:
        outputs |= firing.more
    return NewRun(
        run_id=run_id,
        playbook_id=firing.playbook_id,
        playbook_version_id=published.version_id,
        trigger_name=firing.trigger_name or published.workflow.triggers[0].name,
        trigger=outputs,
        priority=firing.priority,
        dedup_key=dedup_key,
        correlation=_correlation(firing),
        client_tracking_id=firing.client_tracking_id or run_id,
        parent_run_id=firing.parent["run_id"] if firing.parent else None,
    )


def _correlation(firing: Firing) -> dict[str, Any]:
    """What the run belongs to, and who started it."""
    made: dict[str, Any] = {"alert_id": firing.alert_id, "incident_id": firing.incident_id, "by": firing.by, "person": firing.person}
    if firing.client_tracking_id:
        made["tracking_id"] = firing.client_tracking_id
    if firing.parent:
        made["parent"] = dict(firing.parent)
    return made
