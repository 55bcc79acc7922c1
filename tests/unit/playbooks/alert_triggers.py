"""The alert and incident triggers as the engine's tests need them: what the published connectors offer, without their operations."""

from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    TriggerOffer,
)

ENTITY_KINDS = ("Account", "Host", "IP", "Url", "FileHash", "DnsResolution")


class SecurityCenterAlert:
    name = "ascalert"
    title = "Security Center Alert"
    operations: tuple[Operation, ...] = ()
    triggers = (
        TriggerOffer(
            "/Microsoft.Security/Alert/subscribe", "security_center_alert", "When a response to an Azure Security Center alert is triggered"
        ),
    )

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        raise CallFailed("UnsupportedOperation", f"{self.name} has no operation {request.method} {request.path}")


class SentinelAlert:
    name = "azuresentinel"
    title = "Microsoft Sentinel"
    operations: tuple[Operation, ...] = ()
    triggers = (
        TriggerOffer("/subscribe", "sentinel_alert", "When a response to a Microsoft Sentinel alert is triggered"),
        TriggerOffer("/incident-creation", "sentinel_incident", "When a Microsoft Sentinel incident is created"),
        *(
            TriggerOffer(f"/entity/{kind}", f"sentinel_entity_{kind.lower()}", f"Microsoft Sentinel entity: {kind}")
            for kind in ENTITY_KINDS
        ),
    )

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        raise CallFailed("UnsupportedOperation", f"{self.name} has no operation {request.method} {request.path}")
