"""Places where a test may have the process die, stop, fail or linger: `intent.after_commit:3:kill` at the third time it is reached.

The setting is empty outside of tests; an empty value costs one dictionary look-up.
"""

import os
import signal
import time
from collections import Counter

from guardship.errors import Fault, GuardshipError

NAMES = (
    "accept.before_commit",
    "accept.after_commit",
    "intent.after_commit",
    "call.before_send",
    "call.after_send",
    "result.before_commit",
    "result.after_commit",
    "turn.before_release",
    "timer.after_fire",
    "deliver.after_commit",
    "journal.commit",
    "lease.renew",
    "blob.before_rename",
    "dispatch.wake",
)
DEEDS = ("kill", "stop", "raise", "sleep")
SLEEP_SECONDS = 1.0


class FaultRaised(GuardshipError):
    code = "playbooks.fault_raised"


class BadFaultPoint(GuardshipError):
    code = "playbooks.bad_fault_point"
    fault = Fault.BAD_INPUT


class FaultPoints:
    def __init__(self, spec: str = "") -> None:
        """`name:nth:deed`, several parted by commas."""
        self._wanted: dict[str, tuple[int, str]] = {}
        self._seen: Counter[str] = Counter()
        for entry in filter(None, (part.strip() for part in spec.split(","))):
            name, _, rest = entry.partition(":")
            nth, _, deed = rest.partition(":")
            if name not in NAMES or deed not in DEEDS or not nth.isdigit():
                raise BadFaultPoint(f"{entry} is no fault point", hint="such as intent.after_commit:1:kill")
            self._wanted[name] = (int(nth), deed)

    def hit(self, name: str) -> None:
        if name not in self._wanted:
            return
        self._seen[name] += 1
        nth, deed = self._wanted[name]
        if self._seen[name] != nth:
            return
        match deed:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise FaultRaised(f"the fault point {name} was reached")
            case _:
                time.sleep(SLEEP_SECONDS)
