"""A child process that speaks JSON lines: the server and the lab, as the command holds them.

The child ends when its standard input ends, and by itself when the command dies (it asks the kernel for that), so that kill -9 of the
command leaves nothing behind.
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

Message = dict[str, Any]
Taker = Callable[[str, Message], None]


class Child:
    def __init__(self, name: str, module: str, *, log_file: Path, take: Taker, environment: dict[str, str]) -> None:
        """Start `python -m module`; each line it prints goes to `take(name, message)`, its end as `{"event": "ended", "code"}`."""
        self.name = name
        self._take = take
        self._lock = threading.Lock()
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C goes to the command, which stops its children in order
            )
        threading.Thread(target=self._read, name=f"{name}-lines", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: Message) -> bool:
        """Whether the child could still be told."""
        try:
            with self._lock:
                stream = self._stdin()
                stream.write(json.dumps(message).encode() + b"\n")
                stream.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def stop(self, *, grace_seconds: float) -> None:
        self.send({"do": "stop"})
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._stdin().close()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                message = {"event": "text", "text": line.decode("utf-8", "replace").rstrip()}
            self._take(self.name, message if isinstance(message, dict) else {"event": "text", "text": str(message)})
        self._take(self.name, {"event": "ended", "code": self._process.wait(), "pid": self.pid})

    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin
