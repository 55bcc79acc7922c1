"""The Function action: a call of a function app's HTTP trigger, by the resource id that Azure's designer writes.

`/subscriptions/…/providers/Microsoft.Web/sites/app-1/functions/Enrich` is called at `https://app-1.azurewebsites.net/api/Enrich`; the key
comes from the connection `azure_function`: `{"keys": {"app-1": "…", "app-1/Enrich": "…"}}`. Its parameter `hosts` maps an app to an address
of its own, such as one that runs beside us.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardship.connectors.http import Http
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.playbooks.expressions.values import text_of

_SUFFIX = "azurewebsites.net"


class AzureFunction:
    name = "azure_function"
    title = "Azure Functions"
    operations = (Operation("invoke", "POST", "", Recovery.RETRY, summary="call a function of a function app"),)
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, http: Http) -> None:
        self._http = http

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        function = request.options.get("function")
        app, name = named_function(text_of(function.get("id")) if isinstance(function, dict) else "")
        base = str(_entry(context.connection, "hosts", app) or f"https://{app}.{_SUFFIX}").rstrip("/")
        headers = dict(request.headers)
        key = _entry(context.connection, "keys", f"{app}/{name}") or _entry(context.connection, "keys", app)
        if key and not any(header.lower() == "x-functions-key" for header in headers):
            headers["x-functions-key"] = str(key)
        sent = replace(request, path=f"{base}/api/{name}", headers=headers)
        return await self._http.call(sent, context)


def _entry(parameters: Mapping[str, Any], field: str, name: str) -> Any:
    entries = parameters.get(field)
    return next((value for key, value in entries.items() if key.lower() == name.lower()), None) if isinstance(entries, dict) else None


def named_function(resource_id: str) -> tuple[str, str]:
    """The app and the function in a resource id."""
    parts = [part for part in resource_id.split("/") if part]
    folded = [part.lower() for part in parts]
    try:
        return parts[folded.index("sites") + 1], parts[folded.index("functions") + 1]
    except (ValueError, IndexError) as error:
        raise CallFailed("InvalidInputs", f"{resource_id or '(nothing)'} is not the resource id of a function") from error
