"""Which ARM requests change what a machine may reach, decided from method, path and body alone.

The one gate in `arm` passes each of them before its observer. Paths are read as a server reads them: unescaped, without doubled
slashes, without case. What could hide such a write inside another request (`$batch`, template deployments) is refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from guardship.cloud.resource_id import ResourceId, split_path
from guardship.errors import Fault, GuardshipError

Body = dict[str, Any]


class ActorKind(StrEnum):
    USER = "user"
    PLAYBOOK = "playbook"
    JOB = "job"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and on whose behalf."""

    kind: ActorKind
    name: str
    run_id: str | None = None
    job_id: str | None = None
    incident_id: str | None = None
    reason: str = ""
    person: str | None = None  # behind the run, job or token, as audit names them: they give no consent to what it asks

    @property
    def who(self) -> str:
        """How audit and approvals name them."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ArmResponse:
    status: int
    headers: Mapping[str, str]  # names lower-cased
    body: Any  # JSON where ARM sent JSON, else text or None
    write: "NetworkWrite | None" = None  # whose operation is still under way: `ArmClient.wait` tells the observer its end
    is_doubtful: bool = False  # refused, but an earlier attempt may have been carried out


class WriteKind(StrEnum):
    INTERFACE = "interface"
    SUBNET = "subnet"
    NETWORK = "network"
    GROUP = "group"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class NetworkWrite:
    """One write that passes the gate, once, however often it has to be sent."""

    write_id: str
    kind: WriteKind
    method: str
    resource_id: ResourceId
    api_version: str
    body: Body | None
    etag: str | None
    actor: Actor
    idempotency_key: str | None


class Reader(Protocol):
    """Reads that no observer sees."""

    def get(self, path: str) -> Body: ...

    def list(self, path: str) -> list[Body]: ...


class WriteObserver(Protocol):
    def before(self, write: NetworkWrite, arm: Reader) -> ArmResponse | None:
        """May raise, so that nothing is sent; a response means: do not send, answer this."""
        ...

    def after(self, write: NetworkWrite, response: ArmResponse, arm: Reader) -> None:
        """ARM has answered; where `response.write` is set it has taken the write and is not done with it."""
        ...

    def ended(self, write: NetworkWrite, body: Body | None, problem: str | None, arm: Reader) -> None:
        """What ARM had taken is over: the resource as it is now, or what the operation says went wrong."""
        ...

    def failed(self, write: NetworkWrite, error: Exception) -> None: ...


class Unobserved:
    """An observer for places where nothing is at stake: tests, and reads of a fresh account."""

    def before(self, write: NetworkWrite, arm: Reader) -> ArmResponse | None:
        return None

    def after(self, write: NetworkWrite, response: ArmResponse, arm: Reader) -> None:
        return None

    def ended(self, write: NetworkWrite, body: Body | None, problem: str | None, arm: Reader) -> None:
        return None

    def failed(self, write: NetworkWrite, error: Exception) -> None:
        return None


class HiddenWrite(GuardshipError):
    """A request that can carry other writes inside, where the gate would not see them."""

    code = "cloud.hidden_write"
    fault = Fault.UNSUPPORTED


class StrangePath(GuardshipError):
    """A path that client and server could read differently."""

    code = "cloud.strange_path"
    fault = Fault.BAD_INPUT


_KINDS: Mapping[str, WriteKind] = {
    "microsoft.network/networkinterfaces": WriteKind.INTERFACE,
    "microsoft.network/virtualnetworks/subnets": WriteKind.SUBNET,
    "microsoft.network/virtualnetworks": WriteKind.NETWORK,
    "microsoft.network/networksecuritygroups": WriteKind.GROUP,
    "microsoft.network/networksecuritygroups/securityrules": WriteKind.RULE,
}
_WRITING = {"PUT", "PATCH", "DELETE"}


def network_write_of(method: str, path: str, body: object = None) -> tuple[WriteKind, ResourceId] | None:
    """What a request would change of a network; None for every other request. Raises for what may hide such a change."""
    verb = method.upper()
    segments = clean_segments(path)
    lowered = [segment.lower() for segment in segments]
    if verb in {"GET", "HEAD", "OPTIONS"} or not segments:
        return None
    if "$batch" in lowered or (verb == "POST" and lowered[-1] == "batch"):
        raise HiddenWrite("a batch request hides what it changes", hint="send its requests one by one")
    if "deployments" in lowered and (verb in _WRITING - {"DELETE"}):
        raise HiddenWrite("a template deployment hides what it changes", hint="write its resources one by one")
    if "deploymentstacks" in lowered:
        raise HiddenWrite("a deployment stack hides what it changes", hint="write its resources one by one")
    if verb == "DELETE" and len(lowered) == 4 and lowered[2] == "resourcegroups":
        raise HiddenWrite("deleting a resource group hides what goes with it", hint="delete its resources one by one")
    if "providers" not in lowered or verb not in _WRITING:
        return None
    target = ResourceId("/" + "/".join(segments), segments)
    kind = _KINDS.get(target.type.lower())
    if kind is None or (verb == "PATCH" and isinstance(body, dict) and "properties" not in body):
        return None  # a PATCH of tags changes no packet
    return kind, target


def clean_segments(path: str) -> tuple[str, ...]:
    """The segments of a path or absolute address; raises where two readers could disagree about them."""
    raw = urlsplit(path).path if "://" in path.split("?", 1)[0] else path.split("?", 1)[0].split("#", 1)[0]
    decoded = unquote(raw)
    segments = split_path(raw)
    doubtful = "%" in decoded or "\\" in decoded or ";" in decoded or any(ord(letter) < 32 for letter in decoded)
    if doubtful or raw.lower().count("%2f") or any(segment in {".", ".."} for segment in segments):
        raise StrangePath(f"the path {raw[:200]} can be read in more than one way", hint="write it without escapes and dots")
    return segments
