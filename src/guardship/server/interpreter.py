"""How the interpreter is set for a process that lives long, with one loop, one writer and many threads that wait."""

import gc
import sys

COLLECTOR_THRESHOLDS = (50_000, 20, 20)
SWITCH_SECONDS = 0.0001


def hurry() -> None:
    """While modules load: next to nothing of what they make is garbage, and looking for it takes a tenth of the start."""
    gc.disable()


def settle() -> None:
    """Once all is built. What was made up to now lives as long as the process: the collector need not look at it again, nor so often.

    A thread that has talked to a database has to win the interpreter's lock back from the loop, and waits the whole switch interval for
    it: ten times a commit for the journal's writer. With Python's own 5 ms the engine makes a fifth fewer runs.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
