"""Dispatch inside one process: runs that have something to do wait in line, by severity and in turns between playbooks.

The journal is the truth; a wake that is lost or doubled does no harm. Everything here happens in the event loop's thread.
"""

import heapq
from collections.abc import Callable
from itertools import count

MOST_AT_ONCE = 200


class LocalDispatch:
    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        self._most_at_once = most_at_once
        self._take_turn: Callable[[str], None] | None = None
        self._ready: list[tuple[int, float, int, str, str]] = []
        self._queued: set[str] = set()
        self._running: dict[str, tuple[int, str]] = {}
        self._again: set[str] = set()
        self._round = 0.0
        self._rounds: dict[str, float] = {}
        self._order = count()

    def start(self, take_turn: Callable[[str], None], hear: Callable[[str], bool] | None = None) -> None:
        """`take_turn` begins a turn and comes back at once; `finished` tells that it is over."""
        self._take_turn = take_turn
        self._pump()

    def stop(self) -> None:
        self._take_turn = None

    @property
    def waiting_count(self) -> int:
        return len(self._ready)

    def wake(self, run_id: str, priority: int, playbook_id: str) -> None:
        """There is something to do for this run."""
        if run_id in self._running:
            self._again.add(run_id)
            return
        if run_id in self._queued:
            return
        # A playbook's next run comes one round after its last, so that a flood of one does not starve another.
        mark = max(self._round, self._rounds.get(playbook_id, 0.0)) + 1.0
        self._rounds[playbook_id] = mark
        self._queued.add(run_id)
        heapq.heappush(self._ready, (-priority, mark, next(self._order), run_id, playbook_id))
        self._pump()

    def wake_here(self, run_id: str, priority: int, playbook_id: str) -> None:
        self.wake(run_id, priority, playbook_id)

    def knows(self, run_id: str) -> bool:
        """Whether the run stands in line or is worked on."""
        return run_id in self._running or run_id in self._queued

    def begin_now(self, run_id: str, priority: int, playbook_id: str) -> bool:
        """Take a place for a run whose turn the caller begins itself; False where others wait in line before it."""
        if self._take_turn is None or self._ready or len(self._running) >= self._most_at_once:
            return False
        self._running[run_id] = (priority, playbook_id)
        return True

    def finished(self, run_id: str) -> None:
        priority, playbook_id = self._running.pop(run_id, (0, ""))
        if run_id in self._again:
            self._again.discard(run_id)
            self.wake(run_id, priority, playbook_id)
        self._pump()

    def _pump(self) -> None:
        while self._take_turn is not None and self._ready and len(self._running) < self._most_at_once:
            priority, mark, _, run_id, playbook_id = heapq.heappop(self._ready)
            self._queued.discard(run_id)
            self._round = max(self._round, mark)
            self._running[run_id] = (-priority, playbook_id)
            self._take_turn(run_id)
        if not self._ready and len(self._rounds) > 1000:
            self._rounds.clear()
