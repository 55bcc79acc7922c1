"""The machines' way to the ingest API: a thread that stays in the host's network namespace and sends each machine's rows.

Rows wait while the server is away and are sent again, the oldest given up beyond a cap. Each machine has a token of its own.
"""

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from guardship.lab.channel import Message

BATCH_ROWS = 500
KEPT_ROWS = 50_000
GATHER_SECONDS = 0.02
PATIENCE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 2.0
_HOPELESS = {400, 413, 415, 422}

Tell = Callable[[str, Message], None]


@dataclass(frozen=True, slots=True)
class IngestAddress:
    url: str
    tokens: Mapping[str, str]  # machine -> token


class Uplink:
    """`send` from any thread; `start` before the caller leaves the host's network namespace."""

    def __init__(self, address: IngestAddress, tell: Tell) -> None:
        self._address = address
        self._tell = tell
        self._waiting: dict[str, deque[Message]] = {}
        self._lost_count = 0
        self._changed = threading.Condition()
        self._is_stopping = False
        self._connection: http.client.HTTPConnection | None = None
        self._failing_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="lab-uplink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, machine: str, rows: list[Message]) -> None:
        if machine not in self._address.tokens:
            return
        with self._changed:
            waiting = self._waiting.setdefault(machine, deque())
            waiting.extend(rows)
            while len(waiting) > KEPT_ROWS:
                waiting.popleft()
                self._lost_count += 1
            self._changed.notify()

    def waiting(self, machine: str) -> list[Message]:
        with self._changed:
            return list(self._waiting.get(machine, ()))

    def stop(self) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        pause = 0.1
        while True:
            with self._changed:
                while not self._is_stopping and not any(self._waiting.values()):
                    self._changed.wait()
                if self._is_stopping:
                    break
            time.sleep(GATHER_SECONDS)
            if self._send_all():
                pause = 0.1
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._hang_up()

    def _send_all(self) -> bool:
        """Whether everything that waited is out, or was refused for good."""
        for machine in list(self._waiting):
            while batch := self._batch(machine):
                refusal = self._post(machine, batch)
                if refusal is not None:
                    self._fail(refusal)
                    return False
                self._failing_since = None
                with self._changed:
                    for _ in range(min(len(batch), len(self._waiting[machine]))):
                        self._waiting[machine].popleft()
        return True

    def _batch(self, machine: str) -> list[Message]:
        with self._changed:
            waiting = self._waiting[machine]
            return [waiting[number] for number in range(min(BATCH_ROWS, len(waiting)))]

    def _post(self, machine: str, batch: list[Message]) -> str | None:
        """Why it did not go through and should be tried again; None when done with."""
        target = urlsplit(self._address.url)
        headers = {"Authorization": f"Bearer {self._address.tokens[machine]}", "Content-Type": "application/json"}
        path = f"{target.path.rstrip('/')}/api/v1/ingest/Syslog"
        is_used = self._connection is not None
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(target.hostname or "127.0.0.1", target.port, timeout=PATIENCE_SECONDS)
            self._connection.request("POST", path, json.dumps(batch), headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            if is_used:  # the server closed a connection that lay idle
                return self._post(machine, batch)
            return f"{type(error).__name__}: {error}"
        if response.will_close:
            self._hang_up()
        return self._judged(machine, response.status, content)

    def _judged(self, machine: str, status: int, content: bytes) -> str | None:
        if status in _HOPELESS:
            self._tell(
                "error", {"what": "rows refused", "machine": machine, "status": status, "detail": content[:500].decode("utf-8", "replace")}
            )
            return None
        if not 200 <= status < 300:
            return f"the ingest API answered {status}"
        try:
            rejected = json.loads(content).get("rejected") or []
        except (ValueError, AttributeError):
            return None
        if rejected:
            self._tell("error", {"what": "rows rejected", "machine": machine, "count": len(rejected), "detail": str(rejected[0])})
        return None

    def _fail(self, why: str) -> None:
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            self._tell("uplink_waiting", {"why": why})

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
