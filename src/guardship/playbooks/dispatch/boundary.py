"""What the runner needs of a dispatch: who tells it that a run has something to do, and how many turns it takes at once.

The journal is the truth; a wake that is lost or doubled does no harm.
"""

from collections.abc import Callable
from typing import Protocol


class Dispatch(Protocol):
    def start(self, take_turn: Callable[[str], None], hear: Callable[[str], bool] | None = None) -> None:
        """`take_turn` begins a turn and comes back at once; `hear` tells a turn that is under way here that something came for its run."""
        ...

    def stop(self) -> None:
        """No more turns are begun."""
        ...

    def wake(self, run_id: str, priority: int, playbook_id: str) -> None:
        """There is something to do for this run, here or in another process."""
        ...

    def wake_here(self, run_id: str, priority: int, playbook_id: str) -> None:
        """The same for a run whose lease this process has."""
        ...

    def begin_now(self, run_id: str, priority: int, playbook_id: str) -> bool:
        """Take a place for a run whose turn the caller begins itself; False where others wait in line before it."""
        ...

    def finished(self, run_id: str) -> None: ...
