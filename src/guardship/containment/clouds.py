"""The connected clouds with what acts on each; the lab's comes and goes while the server runs."""

from dataclasses import dataclass, field

from guardship.cloud.arm import ArmClient
from guardship.cloud.azure.connectivity import Connectivity
from guardship.cloud.provider import CloudProvider
from guardship.containment.isolation import Isolator
from guardship.containment.ledger import Ledger
from guardship.containment.verification import Verification
from guardship.errors import Fault, GuardshipError


class NoCloud(GuardshipError):
    code = "containment.no_cloud"
    fault = Fault.CONFLICT

    def __init__(self) -> None:
        super().__init__("no cloud account is connected", hint="start the demo, or connect an account under Admin")


@dataclass(frozen=True, slots=True)
class CloudAccess:
    name: str
    is_lab: bool
    is_simulated: bool
    subscription_id: str
    hosts: tuple[str, ...]
    arm: ArmClient
    provider: CloudProvider
    connectivity: Connectivity
    ledger: Ledger
    isolator: Isolator
    verification: Verification


@dataclass(slots=True)
class Clouds:
    by_name: dict[str, CloudAccess] = field(default_factory=dict)

    def only(self) -> CloudAccess:
        """The first connected cloud; raises NoCloud."""
        found = next(iter(self.by_name.values()), None)
        if found is None:
            raise NoCloud
        return found

    def named(self, name: str) -> CloudAccess:
        found = self.by_name.get(name)
        if found is None:
            raise NoCloud
        return found

    def of_resource(self, resource_id: str) -> CloudAccess:
        """The cloud whose subscription a resource lies in; raises NoCloud."""
        wanted = resource_id.lower()
        found = next((each for each in self.by_name.values() if f"/subscriptions/{each.subscription_id}".lower() in wanted), None)
        if found is None:
            raise NoCloud
        return found
