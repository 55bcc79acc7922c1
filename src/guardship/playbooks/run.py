"""Who a run is, for all that work on it."""

from typing import Any, NamedTuple

from guardship.playbooks.definition import Workflow
from guardship.playbooks.events import Event


class Run(NamedTuple):
    """Who a run is."""

    run_id: str
    number: int
    playbook_id: str
    playbook_name: str
    priority: int
    correlation: dict[str, Any]


class Fresh(NamedTuple):
    """A run that was just accepted: it need not be loaded."""

    run: Run
    workflow: Workflow
    event: Event
    has_sealed: bool
