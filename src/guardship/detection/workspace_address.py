"""Where this workspace stands, as alerts and incidents state it to playbooks and to the log tables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkspaceAddress:
    subscription_id: str = "5a1e0000-0000-4000-8000-000000000001"
    resource_group: str = "guardship"
    workspace_name: str = "guardship"
    workspace_id: str = "9a7d0000-0000-4000-8000-000000000001"
    console_url: str = "http://127.0.0.1:24080"

    @property
    def arm_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.OperationalInsights/workspaces/{self.workspace_name}"
        )

    def alert_url(self, alert_id: str) -> str:
        return f"{self.console_url}/alerts/{alert_id}"

    def incident_url(self, incident_id: str) -> str:
        return f"{self.console_url}/incidents/{incident_id}"
