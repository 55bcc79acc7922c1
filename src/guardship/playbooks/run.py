"""Who a run is, for all that work on it."""

from typing import Any, NamedTuple


class Run(NamedTuple):
    """Who a run is."""

    run_id: str
    number: int
    playbook_id: str
    playbook_name: str
    priority: int
    correlation: dict[str, Any]
