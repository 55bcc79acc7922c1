"""A connection that fails again and again is left alone for a while: calls fail fast, and the retry policy of their action goes on.

Ten faults in the last twenty calls open it for thirty seconds; then one call is let through, and what becomes of it decides. A fault is a
connection that breaks, a call without answer in time, or a server's own error; what a target refuses is none.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_FAULTS = 10
WINDOW = 20
OPEN_SECONDS = 30.0


@dataclass(slots=True)
class _Breaker:
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))  # whether each was a fault
    open_until: float = 0.0
    is_trying: bool = False


class Breakers:
    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._breakers: dict[str, _Breaker] = {}

    def seconds_left(self, connection: str) -> float:
        """0: the call may be made, and `done` is told how it went."""
        breaker = self._breakers.get(connection)
        if breaker is None or not breaker.open_until:
            return 0.0
        left = breaker.open_until - self._monotonic()
        if left > 0:
            return left
        if breaker.is_trying:
            return 1.0  # another is trying it just now
        breaker.is_trying = True
        return 0.0

    def done(self, connection: str, *, is_fault: bool) -> bool:
        """Whether this opened the breaker."""
        breaker = self._breakers.get(connection)
        if breaker is None:
            if not is_fault:
                return False  # nearly all connections: nothing to remember
            breaker = self._breakers[connection] = _Breaker()
        was_trying, breaker.is_trying = breaker.is_trying, False
        breaker.last.append(is_fault)
        if is_fault and (was_trying or sum(breaker.last) >= MOST_FAULTS):
            breaker.open_until = self._monotonic() + OPEN_SECONDS
            breaker.last.clear()
            return True
        if was_trying or not any(breaker.last):
            del self._breakers[connection]
        return False
