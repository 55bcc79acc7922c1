"""The wall clock, which is put forward whenever a run has nothing to do but to wait."""

from datetime import UTC, datetime, timedelta

from guardship.clock import from_micros


class HurriedClock:
    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    def put_to(self, micros: int) -> None:
        """At least to this moment; it never goes back."""
        self._ahead = max(self._ahead, from_micros(micros) - datetime.now(UTC))
