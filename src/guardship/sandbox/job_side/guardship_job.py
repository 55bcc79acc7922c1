"""What a Python runbook may ask of Guardship: assets, streams, and ARM with the token of its connection.

    import guardship_job
    vm = guardship_job.arm("GET", f"{group}/providers/Microsoft.Compute/virtualMachines/web-1?api-version=2024-07-01")
    guardship_job.warning("two interfaces found")

Everything goes over one unix socket with this job's token; the job has no other way out unless its runbook was granted the network.
"""

import http.client
import json
import socket
from typing import Any

_where: dict[str, str] = {}


class JobApiError(RuntimeError):
    """The answer was not what the job asked for; `status` and `body` say what it was."""

    def __init__(self, status: int, body: Any) -> None:
        problem = body.get("detail") or body.get("title") if isinstance(body, dict) else str(body)
        super().__init__(problem or f"the job's door answered {status}")
        self.status = status
        self.body = body


class ArmFailed(JobApiError):
    """ARM refused or failed; the message is ARM's own."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        error = body.get("error") if isinstance(body, dict) else None
        if isinstance(error, dict):
            self.args = (f"{error.get('code')}: {error.get('message')}",)


def connect(path: str, token: str) -> None:
    """Called by the launcher before the runbook begins."""
    _where.update(path=path, token=token)


def arm(method: str, path: str, body: Any = None, etag: str | None = None, connection: str = "AzureRunAsConnection") -> Any:
    """Call ARM as `connection` and give the parsed body; long-running operations are waited for.

    Raises ArmFailed for every status over 399. `etag` is sent as If-Match: the write is refused when somebody was faster.
    """
    headers = {"X-Connection": connection}
    if etag is not None:
        headers["If-Match"] = etag
    status, answer = _call(method, f"/arm/{path.lstrip('/')}", body, headers)
    if status >= 400:
        raise ArmFailed(status, answer)
    return answer


def write(stream: str, text: str) -> None:
    """A line in one of the job's streams: Output, Warning, Error, Verbose, Progress, Debug."""
    _ask("POST", "/streams", {"stream": stream, "text": str(text)})


def warning(text: str) -> None:
    write("Warning", text)


def verbose(text: str) -> None:
    write("Verbose", text)


def progress(text: str) -> None:
    write("Progress", text)


def _ask(method: str, path: str, body: Any = None) -> Any:
    status, answer = _call(method, path, body, {})
    if status >= 400:
        raise JobApiError(status, answer)
    return answer


def _call(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    connection = _UnixConnection(_where["path"])
    try:
        content = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {_where['token']}", "Content-Type": "application/json", **headers}
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("guardship", timeout=330)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
