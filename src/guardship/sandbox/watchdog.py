"""Counts what a job has started, where the kernel does not, and ends the job when it is too much.

Process limits count by uid, so they are of no use to an ordinary user, whose uid is everybody's. The watchdog looks ten times a
second at the tree of processes below the job's first one.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Burden:
    """What a tree of processes takes of the machine just now."""

    process_count: int
    resident_mb: float


def burden_of(pid: int) -> Burden:
    pids = tree_of(pid)
    return Burden(len(pids), sum(_resident_bytes(each) for each in pids) / (1024 * 1024))


def tree_of(pid: int) -> list[int]:
    """The process and all below it, parents first; at most 4,096, so that a storm of forks cannot hold the counter."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < 4096:
        each = waiting.pop()
        found.append(each)
        waiting += _children_of(each)
    return found


def kill_tree(pid: int) -> None:
    """End the process and all below it. The first process goes first: where it is the first of a namespace, all go with it."""
    for each in tree_of(pid):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _children_of(pid: int) -> list[int]:
    """Of all its threads: the kernel lists a child with the thread that made it."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
    return [child for thread in threads for child in _children_of_thread(thread)]


def _children_of_thread(thread: Path) -> list[int]:
    try:
        return [int(child) for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError, IndexError, PermissionError):
        return 0
