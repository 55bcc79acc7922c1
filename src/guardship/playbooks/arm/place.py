"""Where a template would be deployed, and what a deployment there would tell it about itself."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ArmPlace:
    """Where a template would be deployed: what `subscription()` and `resourceGroup()` tell."""

    subscription_id: str = "5a1e0000-0000-4000-8000-000000000001"
    tenant_id: str = "7e4a0000-0000-4000-8000-000000000001"
    resource_group: str = "AzureBootcamp"
    location: str = "westeurope"

    @property
    def subscription_path(self) -> str:
        return f"/subscriptions/{self.subscription_id}"

    @property
    def group_path(self) -> str:
        return f"{self.subscription_path}/resourceGroups/{self.resource_group}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of one template, as its functions see it."""

    place: ArmPlace
    now: datetime
    name: str = "guardship"
    template: Mapping[str, Any] = field(default_factory=dict)
    draw: Callable[[], uuid.UUID] = uuid.uuid4  # what `newGuid` gives

    @property
    def base_path(self) -> str:
        """What ids begin with: the resource group, or what the template's schema says it is deployed to."""
        schema = str(self.template.get("$schema", "")).lower()
        if "/subscriptiondeploymenttemplate.json" in schema:
            return self.place.subscription_path
        if "/managementgroupdeploymenttemplate.json" in schema:
            return f"/providers/Microsoft.Management/managementGroups/{self.place.tenant_id}"
        return "" if "/tenantdeploymenttemplate.json" in schema else self.place.group_path
