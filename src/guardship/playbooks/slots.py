"""How many runs of a playbook are open at once, where its trigger says a number: the others wait in line as they came.

A run holds its place from its first turn to its end, through every wait. What stands in line is a committed run that has not begun; after
a restart the places are counted anew from the journal.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.definition import Trigger, Workflow


class PlaybookBusy(GuardshipError):
    code = "playbooks.busy"
    fault = Fault.TOO_MANY


@dataclass(slots=True)
class _Line:
    open: set[str]
    waiting: deque[str] = field(default_factory=deque)


class Slots:
    def __init__(self, count_open: Callable[[str], list[str]]) -> None:
        """`count_open` gives the runs of a playbook that have begun and not ended."""
        self._count_open = count_open
        self._lines: dict[str, _Line] = {}

    def _line(self, playbook_id: str) -> _Line:
        line = self._lines.get(playbook_id)
        if line is None:
            line = self._lines[playbook_id] = _Line(set(self._count_open(playbook_id)))
        return line

    def demand_room(self, playbook_id: str, name: str, trigger: Trigger | None) -> None:
        """Raises PlaybookBusy where the trigger takes no more: one at a time, or as many waiting as it allows."""
        if trigger is None or trigger.runs_at_once is None:
            return
        line = self._line(playbook_id)
        if len(line.open) < trigger.runs_at_once:
            return
        if trigger.most_waiting is None:
            raise PlaybookBusy(f"{name} is running, and its trigger starts one run at a time", hint="try again when that has ended")
        if len(line.waiting) >= trigger.most_waiting:
            raise PlaybookBusy(
                f"{name} has {len(line.open)} runs under way and {len(line.waiting)} waiting, which is the most", hint="try again later"
            )

    def take(self, playbook_id: str, run_id: str, at_once: int | None) -> bool:
        """Whether the run may begin; one that may not stands in line."""
        if at_once is None:
            return True
        line = self._line(playbook_id)
        if run_id in line.open:
            return True
        if run_id not in line.waiting:
            line.waiting.append(run_id)
        if len(line.open) >= at_once or line.waiting[0] != run_id:
            return False
        line.waiting.popleft()
        line.open.add(run_id)
        return True

    def leave(self, playbook_id: str, run_id: str) -> str | None:
        """The run has ended; the one that may begin now."""
        line = self._lines.get(playbook_id)
        if line is None:
            return None
        line.open.discard(run_id)
        if run_id in line.waiting:
            line.waiting.remove(run_id)
        return line.waiting[0] if line.waiting else None


def at_once(workflow: Workflow, trigger_name: str) -> int | None:
    trigger = next((one for one in workflow.triggers if one.name == trigger_name), None)
    return None if trigger is None else trigger.runs_at_once
