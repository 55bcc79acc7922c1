"""The moment and the random bytes of a step, and the names of runs."""

import os
from hashlib import blake2b
from itertools import count

from guardship.clock import Clock, to_micros


class Draws:
    """From a secret of this process: asking the kernel for each of thousands a second gives the interpreter's lock away each time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._secret = blake2b(key=os.urandom(32), digest_size=16)
        self._numbers = count()  # never the same twice, from whichever thread

    def next(self) -> tuple[int, bytes]:
        """Now, in microseconds, and sixteen bytes."""
        drawn = self._secret.copy()
        drawn.update(next(self._numbers).to_bytes(8))
        return to_micros(self._clock.now()), drawn.digest()

    def run_id(self) -> str:
        at, drawn = self.next()
        return f"run_{at // 1000:012x}{drawn[:9].hex()}"
