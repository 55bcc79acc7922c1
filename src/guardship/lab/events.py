"""The lab's voice: JSON lines on standard output, written by a thread so that a slow reader holds up no packet."""

import json
import os
import queue
import threading
from datetime import UTC, datetime, timedelta
from time import monotonic

from guardship.clock import iso
from guardship.lab.channel import Message

_WAITING_LIMIT = 10_000
_DISPENSABLE = {"traffic", "guess"}


class Events:
    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write from a thread from now on; not before the machines are forked."""
        self._thread = threading.Thread(target=self._write, name="lab-events", daemon=True)
        self._thread.start()

    def tell(self, event: str, message: Message, *, at: float | None = None) -> None:
        """`at` on the monotonic clock: what happened then, told now."""
        if event in _DISPENSABLE and self._lines.qsize() > _WAITING_LIMIT:
            return
        self._lines.put(_line(event, message, at))

    def tell_now(self, event: str, message: Message) -> None:
        _write_all(_line(event, message, None))

    def close(self) -> None:
        self._lines.put(None)
        if self._thread:
            self._thread.join(1.0)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                _write_all(line)
            except OSError:  # nobody reads any more; the end of standard input will stop the lab
                return


def _line(event: str, message: Message, at: float | None) -> bytes:
    moment = datetime.now(UTC)
    if at is not None:
        moment -= timedelta(seconds=monotonic() - at)
    return json.dumps({"event": event, "at": iso(moment), **message}, separators=(",", ":")).encode() + b"\n"


def _write_all(line: bytes) -> None:
    while line:
        line = line[os.write(1, line) :]
