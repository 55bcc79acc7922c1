"""The Workflow action: starts another playbook here and has its Response as the answer.

A playbook without a Response answers at once with 202 and goes on by itself. The child's dedup key is the call's own key, so that a call
made again after a crash finds the run it made before.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from guardship.errors import NotFound
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.playbooks.firing import Firing, NotPublished, Published
from guardship.playbooks.journal import Accepted

MOST_DEPTH = 20

FindByName = Callable[[str], Published]


class Accept(Protocol):
    def __call__(self, firing: Firing, *, dedup_key: str | None = None) -> Awaitable[Accepted]: ...


class ChildRuns:
    name = "workflow"
    title = "Playbooks"
    operations = (Operation("run", "POST", "", Recovery.RETRY, summary="run another playbook"),)
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self) -> None:
        self._find: FindByName | None = None
        self._accept: Accept | None = None

    def attach(self, find: FindByName, accept: Accept) -> None:
        """Given late: what accepts runs is built with the connectors. `find` raises NotFound, or NotPublished."""
        self._find, self._accept = find, accept

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        if self._find is None or self._accept is None:
            raise CallFailed("NotReady", "playbooks are not started yet", may_retry=True)
        depth = context.depth + 1
        if depth > MOST_DEPTH:
            raise CallFailed("TooManyNestedRuns", f"playbooks start each other more than {MOST_DEPTH} deep")
        name, trigger_name = named_workflow(request.options.get("host"))
        try:
            published = self._find(name)
        except (NotFound, NotPublished) as error:
            raise CallFailed("WorkflowNotFound", f"there is no published playbook called {name} here") from error
        triggers = {trigger.name.casefold(): trigger.name for trigger in published.workflow.triggers}
        if trigger_name and trigger_name.casefold() not in triggers:
            raise CallFailed(
                "WorkflowTriggerNotFound", f"the playbook {name} has no trigger {trigger_name}, it has {', '.join(triggers.values())}"
            )
        waits = published.workflow.has_response
        firing = Firing(
            published.playbook_id,
            triggers[trigger_name.casefold()] if trigger_name else None,
            request.body,
            request.headers,
            {key: str(value) for key, value in request.queries.items()},
            priority=context.priority,
            alert_id=context.alert_id,
            incident_id=context.incident_id,
            by=context.actor,
            person=context.person,
            client_tracking_id=context.client_tracking_id,
            parent={"run_id": context.run_id, "key": context.action_key, "depth": depth, "waits": waits},
        )
        accepted = await self._accept(firing, dedup_key=f"child {context.idempotency_key}")
        headers = {"x-ms-workflow-run-id": accepted.run_id, "x-ms-workflow-name": name}
        return ConnectorResponse(202, headers, is_final=not waits)


def named_workflow(host: Any) -> tuple[str, str]:
    """The playbook's and the trigger's name in `{"triggerName": "manual", "workflow": {"id": "…/workflows/Notify"}}`."""
    given = host if isinstance(host, dict) else {}
    workflow = given.get("workflow")
    written = str(workflow.get("id", "")) if isinstance(workflow, dict) else ""
    name = written.rstrip("/").rsplit("/", 1)[-1]
    if not name:
        raise CallFailed("InvalidInputs", "the action does not say which workflow it runs (host.workflow.id)")
    return name, str(given.get("triggerName") or "")
