"""What the names in a trigger's own expressions mean: the workflow's parameters and what the trigger got, no run yet."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from guardship.clock import to_micros
from guardship.playbooks.definition import Trigger, Workflow
from guardship.playbooks.scope import RunScope
from guardship.playbooks.state import ROOT, RunState


def trigger_scope(
    workflow: Workflow, trigger: Trigger, outputs: Mapping[str, Any], now: datetime, *, callback: str | None = None
) -> RunScope:
    state = RunState("", trigger={"name": trigger.name, "outputs": dict(outputs)})
    return RunScope(workflow, state, ROOT, "", to_micros(now), os.urandom(16), callback)
