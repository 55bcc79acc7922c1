"""Move a machine to the network security group IsolatedNetwork-NSG: the article's runbook, in Python."""

import guardship_job
from automationassets import AutomationAssetNotFound, get_automation_connection

RESOURCE_GROUP = "AzureBootcamp"
CLOSED_GROUP = "IsolatedNetwork-NSG"


def main(VMName: str, ResourceGroupName: str = RESOURCE_GROUP) -> None:
    name = "AzureRunAsConnection"
    try:
        connection = get_automation_connection(name)
    except AutomationAssetNotFound:
        raise SystemExit(f"Connection {name} not found.") from None
    group = f"/subscriptions/{connection['SubscriptionId']}/resourceGroups/{ResourceGroupName}/providers"

    machine = guardship_job.arm("GET", f"{group}/Microsoft.Compute/virtualMachines/{VMName}")
    closed = guardship_job.arm("GET", f"{group}/Microsoft.Network/networkSecurityGroups/{CLOSED_GROUP}")
    for reference in machine["properties"]["networkProfile"]["networkInterfaces"]:
        nic = guardship_job.arm("GET", reference["id"])
        before = (nic["properties"].get("networkSecurityGroup") or {}).get("id", "")
        nic["properties"]["networkSecurityGroup"] = {"id": closed["id"]}
        guardship_job.arm("PUT", nic["id"], nic, etag=nic["etag"])
        print(f"{nic['name']}: {before.rpartition('/')[2] or 'no group'} -> {CLOSED_GROUP}")
