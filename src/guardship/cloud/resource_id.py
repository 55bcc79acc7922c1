"""ARM resource ids: `/subscriptions/{s}/resourceGroups/{g}/providers/{namespace}/{type}/{name}[/{type}/{name}...]`.

They compare and hash without case (`resourcegroups` is common in the wild), are printed as they were created, and tolerate `//`:
public playbooks call `https://management.azure.com/@{id}`.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote

from guardship.errors import Fault, GuardshipError

_PROVIDERS = "providers"


class BadResourceId(GuardshipError):
    code = "cloud.bad_resource_id"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True, eq=False)
class ResourceId:
    """One resource's id; `raw` as it was written, without doubled or trailing slashes."""

    raw: str
    segments: tuple[str, ...] = field(repr=False)

    @staticmethod
    def parse(text: str) -> "ResourceId":
        segments = split_path(text)
        if not segments or any(segment in {".", ".."} for segment in segments):
            raise BadResourceId(f"{text!r} is no resource id", hint="a resource id starts with /subscriptions/")
        return ResourceId("/" + "/".join(segments), segments)

    @property
    def key(self) -> str:
        """What ids are compared and stored by."""
        return self.raw.lower()

    @property
    def subscription(self) -> str:
        return self._after("subscriptions")

    @property
    def group(self) -> str:
        return self._after("resourcegroups")

    @property
    def provider(self) -> str:
        """`Microsoft.Network`; empty for a subscription or a group."""
        at = self._provider_at()
        return self.segments[at + 1] if at is not None and at + 1 < len(self.segments) else ""

    @property
    def type(self) -> str:
        """`Microsoft.Network/virtualNetworks/subnets`."""
        at = self._provider_at()
        if at is None:
            return "Microsoft.Resources/resourceGroups" if self.group else "Microsoft.Resources/subscriptions"
        return "/".join((self.provider, *self.segments[at + 2 :: 2]))

    @property
    def name(self) -> str:
        return self.segments[-1]

    @property
    def parent(self) -> "ResourceId | None":
        """The subnet's network, the rule's group; None for a resource that stands by itself."""
        at = self._provider_at()
        if at is None or len(self.segments) - at <= 4:
            return None
        segments = self.segments[:-2]
        return ResourceId("/" + "/".join(segments), segments)

    def child(self, *parts: str) -> "ResourceId":
        return ResourceId.parse("/".join((self.raw, *parts)))

    def __str__(self) -> str:
        return self.raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def _after(self, word: str) -> str:
        for at in range(0, len(self.segments) - 1, 2):
            if self.segments[at].lower() == word:
                return self.segments[at + 1]
        return ""

    def _provider_at(self) -> int | None:
        """The last `providers`, so that an extension resource is what it is and not what it hangs on."""
        found = [at for at, segment in enumerate(self.segments) if at % 2 == 0 and segment.lower() == _PROVIDERS]
        return found[-1] if found else None


def split_path(path: str) -> tuple[str, ...]:
    """The segments of a path as a server reads them: unescaped, without the empty ones."""
    return tuple(segment for segment in unquote(path).split("/") if segment)


def same_id(left: str | None, right: str | None) -> bool:
    """Whether two ids as they stand in resources name one thing; two absent ids do."""
    return (left or "").rstrip("/").lower() == (right or "").rstrip("/").lower()
