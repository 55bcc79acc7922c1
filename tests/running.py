"""A server as the command starts it, on a data folder and a port of its own; for the tests that ask a whole product."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Message = dict[str, Any]
START_SECONDS = 60.0


class RunningServer:
    """`python -m guardship.server` with its pipe in our hands."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self._settings = settings
        self._port = 0
        self.messages: list[Message] = []
        self._changed = threading.Condition()
        self.ready: Message = {}
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARDSHIP_")}
        environment |= {"GUARDSHIP_HOME": str(self.home), "GUARDSHIP_LISTEN_PORT": str(self._port), "GUARDSHIP_CLIENTS_PORT": "0"}
        environment |= {f"GUARDSHIP_{name.upper()}": value for name, value in self._settings.items()}
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guardship.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        log.close()
        self._reading = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reading.start()
        mark = len(self.messages)
        self.ready = self.wait_for("ready", after=mark)
        self.url = str(self.ready["url"])
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self._close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.collect()

    def collect(self) -> None:
        """After its death."""
        self.process.wait()
        self._close()

    def change(self, **settings: str) -> None:
        """Settings of the next start."""
        self._settings |= settings

    def tell(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, order: Message, event: str) -> Message:
        mark = len(self.messages)
        self.tell(**order)
        return self.wait_for(event, after=mark)

    def wait_for(self, event: str, *, after: int = 0) -> Message:
        deadline = time.monotonic() + START_SECONDS
        with self._changed:
            while True:
                for message in self.messages[after:]:
                    if message.get("event") in (event, "failed"):
                        assert message["event"] == event, message
                        return message
                assert self.process.poll() is None, f"the server ended: {(self.home / 'server.log').read_text()[-2000:]}"
                assert self._changed.wait(deadline - time.monotonic()), f"no {event}: {self.messages}"

    @property
    def local_facts(self) -> Message:
        """What the command on this machine reads."""
        found: Message = json.loads((self.home / "run/server.json").read_text())
        return found

    @property
    def local_token(self) -> str:
        return str(self.local_facts["token"])

    def client(self, token: str | None = None) -> httpx.Client:
        """As the command on this machine, or with a token."""
        headers = {"Authorization": f"Bearer {token or self.local_token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=30, trust_env=False)

    def visitor(self) -> httpx.Client:
        """Nobody yet: no token, no cookie."""
        return httpx.Client(base_url=f"{self.url}/api/v1/", timeout=30, trust_env=False)

    def person(self) -> httpx.Client:
        """The first user, signed in by the link, with the page's guard."""
        client = self.visitor()
        link = str(self.ready["sign_in_link"]).rpartition("=")[2]
        answer = client.post("session/link", json={"token": link})
        assert answer.status_code == 200, answer.text
        client.headers["X-Guard"] = answer.json()["guard"]
        return client

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        for line in process.stdout:
            with self._changed:
                self.messages.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _close(self) -> None:
        self._reading.join(5)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


def until(holds: Callable[[], Any], *, seconds: float = 20.0, every: float = 0.05) -> Any:
    """What `holds` gives once it gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(every)
    raise AssertionError(f"it did not come true within {seconds} s: {holds}")
