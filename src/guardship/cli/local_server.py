"""The command's own way to the server on this machine: its address and a token that only the owner of the data folder can read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from guardship.errors import Fault, GuardshipError
from guardship.storage.layout import Layout

ADDRESS_FILE = "server.json"
_FAULTS = {401: Fault.FORBIDDEN, 403: Fault.FORBIDDEN, 404: Fault.NOT_FOUND, 409: Fault.CONFLICT, 503: Fault.UNAVAILABLE}


class ServerNotRunning(GuardshipError):
    code = "cli.server_not_running"
    fault = Fault.UNAVAILABLE

    def __init__(self, home: Path) -> None:
        super().__init__(f"no server runs on {home}", hint="start it with `guardship up`, or name its data folder in GUARDSHIP_HOME")


class ServerRefused(GuardshipError):
    """The server's own words, and its fault by the status it answered with."""

    code = "cli.server_refused"

    def __init__(self, message: str, *, status: int = 500, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.fault = _FAULTS.get(status, Fault.BAD_INPUT if status < 500 else Fault.INTERNAL)


@dataclass(frozen=True, slots=True)
class LocalServer:
    url: str
    token: str
    ca_file: str | None

    @staticmethod
    def find(home: Path) -> "LocalServer":
        try:
            facts = json.loads((Layout(home).run / ADDRESS_FILE).read_text("utf-8"))
        except (FileNotFoundError, ValueError) as error:
            raise ServerNotRunning(home) from error
        return LocalServer(facts["url"], facts["token"], facts.get("ca_file"))

    def ask(self, method: str, path: str, body: Any = None, *, seconds: float = 60.0) -> Any:
        """The parsed answer; raises ServerRefused with the server's own words."""
        try:
            with self._client(seconds) as client:
                response = client.request(method, f"/api/v1/{path}", json=body)
        except httpx.HTTPError as error:
            raise ServerRefused(f"the server at {self.url} did not answer: {error}", status=503, hint="is it still running?") from error
        if response.status_code >= 400:
            raise _refusal(response)
        return response.json() if response.content else None

    def news(self) -> Iterator[dict[str, Any]]:
        """Items of the news stream until it ends."""
        with self._client(None) as client, client.stream("GET", "/api/v1/news") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def _client(self, seconds: float | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        verify: Any = self.ca_file or True
        return httpx.Client(base_url=self.url, headers=headers, timeout=seconds, verify=verify, trust_env=False)


def _refusal(response: httpx.Response) -> ServerRefused:
    try:
        problem = response.json()
    except ValueError:
        return ServerRefused(f"the server answered {response.status_code}", status=response.status_code)
    told = problem.get("detail") or problem.get("title") or str(response.status_code)
    return ServerRefused(told, status=response.status_code, hint=problem.get("hint"))
