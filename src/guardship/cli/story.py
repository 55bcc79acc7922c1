"""The story of one demo as it happens: what was seen when, whether the machine is cut off, and how long it took.

Times come from those who saw the thing: packets from the lab, alerts, runs and isolations from the server.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

Told = Callable[["Line"], None]

_LAB_WORDS = {
    "first_hostile_packet": "The attacker starts guessing passwords",
    "session_opened": "The attacker is in: a session stays open and data leaves",
    "last_packet": "The attacker's last packet",
    "mail": "Mail in the lab's mailbox",
}


@dataclass(frozen=True, slots=True)
class Line:
    at: str
    what: str
    detail: str


@dataclass(slots=True)
class Result:
    """What `guardship demo --json` prints."""

    contained: bool = False
    new_connections_blocked: str = "not_verified"
    live_sessions_cut: str = "not_verified"
    metadata_service_blocked: str = "not_verified"
    seconds: dict[str, float | None] = field(
        default_factory=lambda: {"first_packet_to_alert": None, "alert_to_last_packet": None, "put_to_last_packet": None}
    )
    incident_url: str | None = None
    run_url: str | None = None
    timeline: list[Line] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The timeline in the order of time: what is heard of late comes late on the screen, and not here."""
        return asdict(replace(self, timeline=sorted(self.timeline, key=lambda line: line.at)))


class Story:
    """Takes what the lab and the server say and knows when the story has ended."""

    def __init__(self, url: str, told: Told, *, machine: str = "web-1") -> None:
        self.result = Result()
        self._url = url
        self._told = told
        self._machine = machine
        self._at: dict[str, str] = {}
        self.is_simulated = False
        self.problem: str | None = None

    @property
    def has_begun(self) -> bool:
        return "first_hostile_packet" in self._at

    @property
    def has_ended(self) -> bool:
        """Proved either way, the run over, and the mail there (or the cut has failed, which no mail will mend)."""
        if "verified" not in self._at:
            return False
        if self.result.live_sessions_cut != "verified":
            return "run_ended" in self._at
        return {"last_packet", "run_ended", "mail"} <= set(self._at)

    def take_lab(self, message: dict[str, Any]) -> None:
        event, at = str(message.get("event")), str(message.get("at", ""))
        if event == "simulated":
            self.is_simulated = True
            self._tell(at, "The host allows no namespaces: a simulated data plane plays", str(message.get("why", "")))
        if event == "error":
            self._tell(at, "The lab met an error", str(message.get("why") or message.get("detail", "")))
        if event not in _LAB_WORDS or (event in self._at and event != "last_packet"):
            return
        self._at[event] = at
        if event == "last_packet":
            put_ms = message.get("put_to_last_packet_ms")
            # A last packet that came just before the change was heard of counts as none after it.
            self.result.seconds["put_to_last_packet"] = None if put_ms is None else round(max(float(put_ms), 0.0) / 1000, 6)
            self._measure()
        self._tell(at, _LAB_WORDS[event], _lab_detail(event, message))

    def take_news(self, item: dict[str, Any]) -> None:
        if not self.has_begun:
            return
        match item.get("kind"):
            case "alert" if "alert" not in self._at and item.get("machine") == self._machine:
                self._at["alert"] = str(item["raised_at"])
                self._measure()
                self._tell(self._at["alert"], f"Alert {item.get('number')}, severity {item.get('severity')}", str(item.get("title", "")))
                if item.get("incident_id"):
                    self.result.incident_url = f"{self._url}/incidents/{item['incident_id']}"
            case "run":
                self._take_run(item)
            case "approval" if item.get("answer") == "waiting":
                self._tell(str(item["at"]), "A person is asked, in the console under Admin, Approvals", str(item.get("title", "")))
            case "isolation" if item.get("machine") == self._machine:
                self._take_isolation(item)

    def _take_run(self, item: dict[str, Any]) -> None:
        """A run that is over before anybody looked is told as begun and ended at once."""
        run_url = f"{self._url}/runs/{item['id']}"
        if "run" not in self._at:
            self._at["run"] = str(item["at"])
            self.result.run_url = run_url
            self._tell(str(item["at"]), f"Playbook {item.get('playbook', '')} starts", f"run {item.get('number', '')}")
        if item.get("ended") and "run_ended" not in self._at and self.result.run_url == run_url:
            self._at["run_ended"] = str(item["at"])
            self._tell(str(item["at"]), f"The run ended: {item.get('status')}", "")

    def _take_isolation(self, item: dict[str, Any]) -> None:
        if item.get("state") == "opened" and "opened" not in self._at:
            self._at["opened"] = str(item["at"])
            self._tell(str(item["at"]), f"The cloud confirms: {self._machine} is in the closed security group", f"by {item.get('by', '')}")
        elif item.get("state") == "verified":
            for finding in ("new_connections_blocked", "live_sessions_cut", "metadata_service_blocked"):
                setattr(self.result, finding, item[finding])
            self.result.contained = self.result.new_connections_blocked == self.result.live_sessions_cut == "verified"
            self._at["verified"] = str(item["at"])
            detail = ", ".join(
                f"{name}: {str(item[key]).replace('_', ' ')}"
                for name, key in (
                    ("new connections blocked", "new_connections_blocked"),
                    ("live sessions cut", "live_sessions_cut"),
                    ("metadata service blocked", "metadata_service_blocked"),
                )
            )
            self._tell(str(item["at"]), "Probes answer", detail)

    def _measure(self) -> None:
        seconds = self.result.seconds
        seconds["first_packet_to_alert"] = self._between("first_hostile_packet", "alert")
        seconds["alert_to_last_packet"] = self._between("alert", "last_packet")

    def _between(self, first: str, second: str) -> float | None:
        if first not in self._at or second not in self._at:
            return None
        return round((datetime.fromisoformat(self._at[second]) - datetime.fromisoformat(self._at[first])).total_seconds(), 4)

    def _tell(self, at: str, what: str, detail: str) -> None:
        line = Line(at, what, detail)
        self.result.timeline.append(line)
        self._told(line)


def _lab_detail(event: str, message: dict[str, Any]) -> str:
    if event == "last_packet" and message.get("put_to_last_packet_ms") is not None:
        after = max(float(message["put_to_last_packet_ms"]), 0.0)
        return f"{after:.1f} ms after the group changed; known now that no other has followed"
    parts = [f"{name} {message[name]}" for name in ("source", "target", "subject", "account") if message.get(name)]
    return ", ".join(parts)
