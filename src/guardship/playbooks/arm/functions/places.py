"""Functions of templates that tell of the deployment: ids of resources, the subscription, the cloud it would go to.

`reference`, `references` and everything called `list…` ask a resource that is not there yet; they are known after the deployment.
"""

import re
import uuid

from guardship.errors import counted
from guardship.playbooks.arm.place import Deployment
from guardship.playbooks.arm.symbols import ArmFailed, Unknown
from guardship.playbooks.expressions.arguments import text, whole_number
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import Value, text_of

_TYPE = re.compile(r"[^/.]+\.[^/]+(/[^/]+)+")
_ZONES = ("1", "2", "3")


def joined_id(base: str, kind: str, names: tuple[Value, ...]) -> str:
    """The type's segments and the names take turns: `Microsoft.Web/sites/slots` with `a`, `b` is `…/sites/a/slots/b`."""
    provider, *types = kind.strip("/").split("/")
    if len(types) != len(names):
        raise ArmFailed(f"The type '{kind}' needs {counted(len(types), 'name')}, it was given {len(names)}.")
    pairs = "/".join(f"{type_name}/{text_of(name)}" for type_name, name in zip(types, names, strict=True))
    return f"{base}/providers/{provider}/{pairs}"


def _split_at_type(function: str, values: tuple[Value, ...], most_before: int) -> tuple[tuple[str, ...], str, tuple[Value, ...]]:
    """What stands before the type, the type, and the names."""
    for position, value in enumerate(values[: most_before + 1]):
        if isinstance(value, str) and _TYPE.fullmatch(value.strip("/")):
            return tuple(map(text_of, values[:position])), value, values[position + 1 :]
    raise ArmFailed(f"The template function '{function}' needs a type such as 'Microsoft.Web/connections'.")


def resource_id(deployment: Deployment, *values: Value) -> Value:
    before, kind, names = _split_at_type("resourceId", values, 2)
    if not before:
        return joined_id(deployment.base_path, kind, names)
    subscription = before[0] if len(before) == 2 else deployment.place.subscription_id
    return joined_id(f"/subscriptions/{subscription}/resourceGroups/{before[-1]}", kind, names)


def subscription_resource_id(deployment: Deployment, *values: Value) -> Value:
    before, kind, names = _split_at_type("subscriptionResourceId", values, 1)
    return joined_id(f"/subscriptions/{before[0] if before else deployment.place.subscription_id}", kind, names)


def management_group_resource_id(deployment: Deployment, *values: Value) -> Value:
    before, kind, names = _split_at_type("managementGroupResourceId", values, 1)
    group = before[0] if before else deployment.place.tenant_id
    return joined_id(f"/providers/Microsoft.Management/managementGroups/{group}", kind, names)


def tenant_resource_id(kind: Value, *names: Value) -> Value:
    return joined_id("", text("tenantResourceId", kind), names)


def extension_resource_id(base: Value, kind: Value, *names: Value) -> Value:
    return joined_id(text("extensionResourceId", base).rstrip("/"), text("extensionResourceId", kind), names)


def resource_group(deployment: Deployment) -> Value:
    place = deployment.place
    return {
        "id": place.group_path,
        "name": place.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": place.location,
        "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    }


def subscription(deployment: Deployment) -> Value:
    place = deployment.place
    return {
        "id": place.subscription_path,
        "subscriptionId": place.subscription_id,
        "tenantId": place.tenant_id,
        "displayName": "lab",
    }


def tenant(deployment: Deployment) -> Value:
    """`countryCode` and `displayName` are of the lab."""
    return {"tenantId": deployment.place.tenant_id, "displayName": "lab", "countryCode": "NL", "tenantType": "AAD"}


def management_group(deployment: Deployment) -> Value:
    """The tenant's root group (a guess: a template that is not deployed to a group has none)."""
    group = deployment.place.tenant_id
    path = f"/providers/Microsoft.Management/managementGroups/{group}"
    return {"id": path, "name": group, "type": "/providers/Microsoft.Management/managementGroups", "properties": {"displayName": "lab"}}


def deployment_facts(deployment: Deployment) -> Value:
    template = deployment.template
    return {
        "name": deployment.name,
        "location": deployment.place.location,
        "properties": {
            "mode": "Incremental",
            "provisioningState": "Accepted",
            "template": {name: template[name] for name in ("$schema", "contentVersion") if name in template},
            "templateLink": {"uri": Unknown.of("deployment().properties.templateLink.uri", is_deferred=True)},
            "parameters": {},
        },
    }


def deployer(deployment: Deployment) -> Value:
    """Who deploys: nobody yet, so the empty id."""
    empty = "00000000-0000-0000-0000-000000000000"
    return {"objectId": empty, "tenantId": deployment.place.tenant_id, "userPrincipalName": ""}


def environment() -> Value:
    return {
        "name": "AzureCloud",
        "gallery": "https://gallery.azure.com/",
        "graph": "https://graph.windows.net/",
        "portal": "https://portal.azure.com",
        "graphAudience": "https://graph.windows.net/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        "resourceManager": "https://management.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "acrLoginServer": ".azurecr.io",
            "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
            "azureFrontDoorEndpointSuffix": "azurefd.net",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
            "storage": "core.windows.net",
        },
    }


def pick_zones(namespace: Value, kind: Value, location: Value, count: Value = 1, offset: Value = 0) -> Value:
    """Zones 1 to 3 in turn; that every type and place has three is a guess."""
    for value in (namespace, kind, location):
        text("pickZones", value)
    wanted, start = whole_number("pickZones", count), whole_number("pickZones", offset)
    if not 1 <= wanted <= len(_ZONES) or not 0 <= start <= len(_ZONES):
        raise ArmFailed("The template function 'pickZones' picks 1 to 3 zones, beginning 0 to 3 later.")
    return [_ZONES[(start + number) % len(_ZONES)] for number in range(wanted)]


def new_guid(deployment: Deployment) -> Value:
    made: uuid.UUID = deployment.draw()
    return str(made)


TABLE = (
    Entry("resourceId", 2, None, resource_id, needs_scope=True),
    Entry("subscriptionResourceId", 2, None, subscription_resource_id, needs_scope=True),
    Entry("managementGroupResourceId", 2, None, management_group_resource_id, needs_scope=True),
    Entry("tenantResourceId", 2, None, tenant_resource_id),
    Entry("extensionResourceId", 3, None, extension_resource_id),
    Entry("resourceGroup", 0, 0, resource_group, needs_scope=True),
    Entry("subscription", 0, 0, subscription, needs_scope=True),
    Entry("tenant", 0, 0, tenant, needs_scope=True),
    Entry("managementGroup", 0, 0, management_group, needs_scope=True),
    Entry("deployment", 0, 0, deployment_facts, needs_scope=True),
    Entry("deployer", 0, 0, deployer, needs_scope=True),
    Entry("environment", 0, 0, environment),
    Entry("pickZones", 3, 5, pick_zones),
    Entry("newGuid", 0, 0, new_guid, needs_scope=True),
)
