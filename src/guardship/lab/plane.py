"""What carries the lab's packets: the real fabric, or a simulation where the host refuses namespaces."""

from typing import Protocol

from guardship.lab.channel import Message
from guardship.lab.world import World


class DataPlane(Protocol):
    kind: str  # "packets" or "simulated"

    async def start(self, world: World) -> None: ...

    async def start_traffic(self) -> None: ...

    async def apply(self, world: World) -> None:
        """Enforce the world as it is now; when this returns, it is in force."""
        ...

    async def probe(self, machine: str, protocol: str, address: str, port: int, seconds: float) -> Message: ...

    async def flows(self, machine: str) -> list[Message]: ...

    async def attack(self, seed: int) -> None: ...

    async def end_sessions(self, machine: str | None = None) -> None:
        """Of one machine, as a restart of it would; of all."""
        ...

    async def stop(self) -> None: ...
