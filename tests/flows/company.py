"""Server and lab together, as the command wires them, with the demo's content in place."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from tests.running import Message, RunningServer, until
from tests.unit.lab.laboratory import Laboratory

RULE = "rule_ssh-password-guessing-then-session"


class Company:
    def __init__(self, folder: Path, *, mode: str = "cutting", **settings: str) -> None:
        settings = {"lab_mail_port": str(free_port()), **settings}
        self.server = RunningServer(folder / "home", **settings)
        tokens = self.server.ask({"do": "prepare_lab"}, "lab_prepared")["tokens"]
        ingest = {"url": self.server.ready["local_url"], "tokens": tokens}
        self.tokens: dict[str, str] = tokens
        self.lab = Laboratory(folder / "lab", mode=mode, smtp_port=int(settings["lab_mail_port"]), ingest=ingest)
        self.connect()
        self.api = self.server.client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.api.close()
        self.server.stop()
        self.lab.stop()

    def connect(self) -> None:
        self.server.ask({"do": "connect_lab", "lab": self.lab.ready}, "lab_connected")

    def restart(self, *, fault_points: str = "") -> None:
        """Start the fallen server again, as the command does; the lab has stayed."""
        self.api.close()
        self.server.change(fault_points=fault_points)
        self.server.start()
        self.connect()
        self.api = self.server.client()

    def attack(self) -> None:
        self.lab.order(do="attack")

    def get(self, path: str, **queries: Any) -> Any:
        answer = self.api.get(path, params=queries)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, body: Any) -> Any:
        answer = self.api.put(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.api.post(path, json=body or {})
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def ended_run(self, *, seconds: float = 30.0) -> Message:
        """The newest run, once it has ended."""

        def look() -> Message | None:
            runs = self._quietly("runs")
            return runs[0] if runs and runs[0]["ended_at"] else None

        return dict(until(look, seconds=seconds))

    def verified_isolation(self, *, seconds: float = 30.0) -> Message:
        def look() -> Message | None:
            found = self._quietly("isolations")
            return found[0] if found and found[0]["verified_at"] else None

        return dict(until(look, seconds=seconds))

    def isolations(self) -> list[Message]:
        return list(self.get("isolations"))

    def _quietly(self, path: str) -> Any:
        try:
            return self.get(path)
        except httpx.HTTPError:  # the server is down or coming up
            return None


def free_port() -> int:
    """Below the kernel's own choices, so that no connection of another test takes it before we listen."""
    import random
    import socket

    while True:
        port = random.SystemRandom().randrange(20_001, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
