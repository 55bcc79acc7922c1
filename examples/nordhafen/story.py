"""The story as data: `story.toml`, with every time moved so that its `now` is the moment that was asked for."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
        hosts = [{"Type": "host", "HostName": name} for name in alert.get("hosts", [])]
        accounts = [{"Type": "account", "Name": name} for name in alert.get("accounts", [])]
        return [*hosts, *accounts, *({"Type": "ip", "Address": address} for address in alert.get("addresses", []))]

    def _arm_id(self, kind: str, name: str) -> str:
        return f"/subscriptions/{self.facts['subscription']}/resourceGroups/{self.facts['resource_group']}/providers/{kind}/{name}"
