"""Long-running operations and the faults a test can ask for.

A write is enforced before its PUT is answered; only `provisioningState` and the operation's status change later. Faults are counted
down: `{"do": "fault", "kind": "throttle" | "fail_operation" | "server_error" | "lose_answer", "count": 1, "retry_after": 1}`,
and `{"do": "fault", "kind": "operation_seconds", "seconds": 0.5}` sets how long operations take.
"""

import time
import uuid
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from guardship.lab.world import LOCATION, SUBSCRIPTION, World

API_VERSION = "2024-05-01"


class FaultKind(StrEnum):
    THROTTLE = "throttle"
    FAIL_OPERATION = "fail_operation"
    SERVER_ERROR = "server_error"
    LOSE_ANSWER = "lose_answer"


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    resource_id: str
    done_at: float
    has_failed: bool


class Operations:
    def __init__(self, world: World) -> None:
        self._world = world
        self._operations: dict[str, _Operation] = {}
        self._faults: Counter[FaultKind] = Counter()
        self.seconds = 0.0
        self.retry_after = 0

    def set_fault(self, order: dict[str, Any]) -> None:
        if order["kind"] == "operation_seconds":
            self.seconds = float(order["seconds"])
        else:
            self._faults[FaultKind(order["kind"])] += int(order.get("count", 1))
        self.retry_after = int(order.get("retry_after", self.retry_after))

    def take_fault(self, kind: FaultKind) -> bool:
        if self._faults[kind] <= 0:
            return False
        self._faults[kind] -= 1
        return True

    def begin(self, resource_id: str, *, has_failed: bool = False) -> str:
        """A new operation on a resource; its name."""
        name = str(uuid.uuid4())
        self._operations[name] = _Operation(name, resource_id, time.monotonic() + self.seconds, has_failed)
        self._forget()
        return name

    def path(self, name: str) -> str:
        return f"{SUBSCRIPTION}/providers/Microsoft.Network/locations/{LOCATION}/operations/{name}?api-version={API_VERSION}"

    def status(self, name: str) -> dict[str, Any] | None:
        operation = self._operations.get(name.lower())
        if operation is None:
            return None
        if time.monotonic() < operation.done_at:
            return {"name": name, "status": "InProgress"}
        if operation.has_failed:
            error = {"code": "InternalServerError", "message": "The operation failed, as the lab was asked to let it."}
            return {"name": name, "status": "Failed", "error": error}
        return {"name": name, "status": "Succeeded"}

    def state_of(self, resource_id: str) -> str | None:
        """`Updating` while an operation on the resource, or on the whole it is part of, is under way."""
        key = resource_id.lower()
        now = time.monotonic()
        return "Updating" if any(key == known.resource_id.lower() and now < known.done_at for known in self._operations.values()) else None

    def _forget(self) -> None:
        old = time.monotonic() - 600
        self._operations = {name: operation for name, operation in self._operations.items() if operation.done_at > old}
