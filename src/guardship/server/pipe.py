"""The server's line to the command that started it: JSON lines on standard input and output, none of it when started by hand."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class Pipe:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def tell(self, event: str, **facts: Any) -> None:
        with self._lock:
            try:
                sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
                sys.stdout.flush()
            except (BrokenPipeError, ValueError):
                return

    def listen(self, take: Callable[[Message], None], ended: Callable[[], None]) -> None:
        """Read orders in a thread of its own until the command is gone."""
        threading.Thread(target=self._read, args=(take, ended), name="pipe", daemon=True).start()

    def _read(self, take: Callable[[Message], None], ended: Callable[[], None]) -> None:
        for line in sys.stdin:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                take(message)
        ended()
