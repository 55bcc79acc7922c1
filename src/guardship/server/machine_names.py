"""Which machine a host name is: asked of the clouds now and then, answered from memory."""

import threading

from guardship.containment.clouds import Clouds
from guardship.errors import GuardshipError
from guardship.telemetry import get_log

log = get_log("machine_names")


class MachineNames:
    def __init__(self, clouds: Clouds) -> None:
        self._clouds = clouds
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def resolve(self, name: str) -> str | None:
        """The ARM id of the machine with this host name, with or without its domain."""
        with self._lock:
            return self._known.get(name.lower()) or self._known.get(name.lower().partition(".")[0])

    def refresh(self) -> None:
        found: dict[str, str] = {}
        for cloud in list(self._clouds.by_name.values()):
            try:
                found.update({machine.name.lower(): str(machine.resource_id) for machine in cloud.provider.machines()})
            except GuardshipError as error:
                log.warning("machine_names.not_read", account=cloud.name, reason=str(error))
        with self._lock:
            self._known.update(found)
