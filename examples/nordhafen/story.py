"""The story as data: `story.toml`, with every time moved so that its `now` is the moment that was asked for."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from guardship.clock import azure_time
from guardship.detection.entities import Entity

HERE = Path(__file__).parent
_TIME_IN_TEXT = re.compile(r"\{(\d\d:\d\d:\d\d)\}")

Facts = dict[str, Any]


class Story:
    def __init__(self, now: datetime) -> None:
        self.facts: Facts = tomllib.loads((HERE / "story.toml").read_text("utf-8"))
        self._written_now: datetime = self.facts["now"].astimezone(UTC)
        self.now = now.replace(microsecond=0)

    def at(self, written: str) -> datetime:
        """`02:44:10` is of the story's own day, `23 09:41:00` of the day before."""
        day, _, clock = written.rpartition(" ")
        moment = datetime.combine(self._written_now.date(), datetime.strptime(clock, "%H:%M:%S").time(), UTC)  # noqa: DTZ007  # a time alone
        if day:
            moment = moment.replace(day=int(day))
        return self.now + (moment - self._written_now)

    def text(self, written: str) -> str:
        return _TIME_IN_TEXT.sub(lambda match: self.at(match[1]).strftime("%H:%M:%S"), written)

    def past_hours(self) -> list[tuple[datetime, list[int]]]:
        first = self.at("23 03:00:00")
        return [(first + timedelta(hours=number), counts) for number, counts in enumerate(self.facts["past"]["hours"])]

    def machine_id(self, name: str) -> str | None:
        if name not in self.facts["machines"]:
            return None
        return self._arm_id("Microsoft.Compute/virtualMachines", name)

    def interface(self, machine: str, group: str) -> Facts:
        """The interface of a machine as ARM shows it, in this security group."""
        return {
            "id": self._arm_id("Microsoft.Network/networkInterfaces", f"{machine}-nic"),
            "name": f"{machine}-nic",
            "location": "westeurope",
            "properties": {
                "networkSecurityGroup": {"id": self._arm_id("Microsoft.Network/networkSecurityGroups", group)},
                "ipConfigurations": [
                    {"name": "ipconfig1", "properties": {"privateIPAddress": self.facts["machines"][machine]["address"], "primary": True}}
                ],
            },
        }

    def entities(self, alert: Facts) -> list[Entity]:
        """What an alert names, in the published form: things first, then the sessions and connections that refer to them."""
        machines = self.facts["machines"]
        hosts = [{"Type": "host", "HostName": name, "LastIpAddress": machines[name]["address"]} for name in alert.get("hosts", [])]
        accounts = [{"Type": "account", "Name": name} for name in alert.get("accounts", [])]
        addresses = [{"Type": "ip", "Address": address} for address in alert.get("addresses", [])]
        things: list[Entity] = [*hosts, *accounts, *addresses]
        more = [self._resolved(entity, things) for entity in alert.get("entities", [])]
        return [*things, *more]

    def _resolved(self, entity: Facts, things: list[Entity]) -> Entity:
        """`Host = "web-1"` becomes a reference to what the alert lists under that name, a time the time it is moved to."""
        numbers = {thing.get("HostName") or thing.get("Name") or thing.get("Address"): str(at) for at, thing in enumerate(things, start=1)}
        found = dict(entity)
        for name, value in entity.items():
            if name.endswith("Utc"):
                found[name] = azure_time(self.at(value))
            elif name in ("Host", "Account", "SourceAddress", "DestinationAddress") and isinstance(value, str):
                found[name] = {"$ref": numbers[value]}
        return found

    def _arm_id(self, kind: str, name: str) -> str:
        return f"/subscriptions/{self.facts['subscription']}/resourceGroups/{self.facts['resource_group']}/providers/{kind}/{name}"
