"""Key Vault over what lies sealed here: the secrets of the connection, else the variables and credentials among the assets."""

from collections.abc import Mapping
from typing import Any

from guardship.automation import assets
from guardship.automation.assets import AssetKind, AssetNotFound
from guardship.clock import Clock
from guardship.connectors.acting import Acting, answer
from guardship.errors import NotFound
from guardship.identity import audit
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse
from guardship.storage.database import Database
from guardship.storage.vault import Vault


class KeyVault:
    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def back_end(self) -> Acting:
        return Acting("keyvault", {"get_secret": self._secret})

    def _secret(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        name = request.segments["secret"]
        value = self._value(name, context.connection)
        with self._database.transaction() as session:
            audit.record(
                session, who=context.actor, act="secret.read", subject=name, at=self._clock.now(), detail={"run_id": context.run_id}
            )
        return answer({"value": value, "name": name, "version": "", "contentType": None, "isEnabled": True})

    def _value(self, name: str, connection: Mapping[str, Any]) -> str:
        own = connection.get("secrets")
        if isinstance(own, Mapping) and name in own:
            return str(own[name])
        with self._database.reading() as session:
            for kind, field in ((AssetKind.VARIABLE, "value"), (AssetKind.CREDENTIAL, "password")):
                try:
                    found = assets.for_job(session, kind, name, self._vault).get(field)
                except AssetNotFound:
                    continue
                if found is not None:
                    return str(found)
        hint = "seal it as a variable among the assets, or give it under secrets in the connection keyvault"
        raise NotFound("secret", name, hint=hint)
