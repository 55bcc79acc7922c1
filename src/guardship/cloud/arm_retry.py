"""When to try a request again, and how long to wait first: 429 and 5xx at most five times, lost connections until a deadline."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
MOST_TRIES = 5
LONGEST_PAUSE_SECONDS = 16.0
LONGEST_RETRY_AFTER_SECONDS = 300.0
FIRST_RECONNECT_SECONDS = 0.1
LONGEST_RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Pauses:
    """`random` gives 0 to 1; passed in, so that a test can hold it still."""

    random: Callable[[], float] = random.random

    def after_status(self, tries: int, headers: Mapping[str, str]) -> float:
        """`Retry-After` where it was sent, else doubling, times a random 0.5 to 1."""
        if (asked := retry_after(headers)) is not None:
            return min(asked, LONGEST_RETRY_AFTER_SECONDS)
        return min(2.0**tries, LONGEST_PAUSE_SECONDS) * (0.5 + self.random() / 2)

    def after_fault(self, tries: int) -> float:
        return float(min(FIRST_RECONNECT_SECONDS * 2.0**tries, LONGEST_RECONNECT_SECONDS)) * (0.5 + self.random() / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date, which ARM does not send, counts as not sent."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
