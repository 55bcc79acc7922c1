"""A lab as its command sees it: a child process that takes orders and tells events as JSON lines."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from guardship.clock import SystemClock
from guardship.cloud.arm import ArmClient, ArmEndpoint, Secret, Unobserved, WriteObserver

SOURCE = Path(__file__).resolve().parents[3] / "src"
Event = dict[str, Any]


class Laboratory:
    def __init__(self, folder: Path, *, mode: str = "cutting", simulated: bool = False, **config: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._errors = (folder / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guardship.lab"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=SOURCE,
        )
        self.clients: list[ArmClient] = []
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.order(**{"ca_dir": str(folder / "ca"), "mode": mode, "simulated": simulated, **config})
        try:
            self.ready = self.wait_for("ready", seconds=20)
        except AssertionError:
            self.stop()
            raise
        self.subscription = f"/subscriptions/{self.ready['subscription_id']}"
        self.network = f"{self.subscription}/resourceGroups/{self.ready['resource_group']}/providers/Microsoft.Network"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def order(self, **order: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, event: str, *, seconds: float = 8.0, after: int = 0) -> Event:
        """The first event of this name, `after` events into the tale."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for told in self.events[after:]:
                    if told["event"] == event:
                        return told
                if self._is_over or not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"no {event} within {seconds} s: {self.events[-5:]} {self.complaints()}")

    def mark(self) -> int:
        return len(self.events)

    def complaints(self) -> str:
        self._errors.flush()
        return Path(self._errors.name).read_text()

    def machine(self, name: str) -> str:
        return next(str(body["resource_id"]) for body in self.ready["machines"] if body["name"] == name)

    def address(self, name: str, version: int = 4) -> str:
        machine = next(body for body in self.ready["machines"] if body["name"] == name)
        return next(str(address) for address in machine["addresses"] if (":" in address) == (version == 6))

    def endpoint(self) -> ArmEndpoint:
        return ArmEndpoint(
            base_url=self.ready["arm_url"],
            tenant_id=self.ready["tenant_id"],
            subscription_id=self.ready["subscription_id"],
            client_id=self.ready["client_id"],
            client_secret=Secret(self.ready["client_secret"]),
            ca_file=Path(self.ready["ca_file"]),
        )

    def client(self, observer: WriteObserver | None = None) -> ArmClient:
        client = ArmClient(self.endpoint(), observer or Unobserved(), SystemClock())
        self.clients.append(client)
        return client

    def reset(self) -> None:
        mark = self.mark()
        self.order(do="reset")
        self.wait_for("reset", after=mark)

    def attack(self) -> None:
        """Until the attacker's session streams."""
        mark = self.mark()
        self.order(do="attack")
        self.wait_for("session_opened", after=mark)
        time.sleep(0.1)

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.order(do="stop")
            self.process.wait(10)
        self._reading.join(5)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream:
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
