"""Azure Resource Manager as a connector: through the observed client, so that nothing here goes around the gate.

Values in a path come decoded and may hold slashes (`virtualMachines/web-1`); what would climb out of the path is refused by the client.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from guardship.cloud.arm import ArmClient, ArmError, holds
from guardship.connectors.acting import Acting, BadInput
from guardship.connectors.http import ArmDoor
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse

_PATHS = {
    "list_subscriptions": "/subscriptions",
    "list_resources": "/subscriptions/{subscription}/resourceGroups/{group}/resources",
    "get_resource": "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{resource}",
    "put_resource": "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{resource}",
    "delete_resource": "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{resource}",
    "put_deployment": "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{deployment}",
    "invoke": "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{resource}/{action}",
}
_NOT_SENT = ("x-ms-api-version", "wait")


class ArmResources:
    """`find` gives the client of the connected account, or None while there is none."""

    def __init__(self, find: Callable[[], ArmClient | None]) -> None:
        self._find = find
        self._door = ArmDoor(find)

    def back_end(self) -> Acting:
        return Acting("arm", dict.fromkeys(_PATHS, self._call), {"put_resource": self._probe})

    def _call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        # Of a call that was accepted, the engine asks for the answer where it is to be had; another host is refused by the client.
        accepted_at = getattr(request, "poll", None)
        if isinstance(accepted_at, str):
            done = self._door.call("GET", accepted_at, body=None, headers=request.headers, context=context)
            return ConnectorResponse(done.status, dict(done.headers), done.body)
        if request.method in ("PUT", "PATCH") and not isinstance(request.body, Mapping):
            raise BadInput("body: a resource is an object")
        done = self._door.call(request.method, address_of(request), body=request.body, headers=request.headers, context=context)
        return ConnectorResponse(done.status, dict(done.headers), done.body)

    def _probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        """The resource as it is, if it has everything that was to be written."""
        arm = self._find()
        if arm is None:
            raise CallFailed("CloudAccountMissing", "no cloud account is connected", may_retry=True)
        try:
            current = arm.get(address_of(request))
        except ArmError as error:
            if error.status == 404:
                return None
            raise CallFailed("ArmError", str(error), may_retry=True) from error
        return ConnectorResponse(200, {"Content-Type": "application/json"}, current) if holds(current, request.body) else None


def address_of(request: ConnectorRequest) -> str:
    """The path below the host, with the version that the definition asks for."""
    path = _PATHS[request.operation]
    for name, value in request.segments.items():
        if not value.strip("/"):
            raise BadInput(f"{name}: the path has no value for it")
        path = path.replace(f"{{{name}}}", quote(value.strip("/"), safe="/"))
    folded = {name.lower(): value for name, value in request.queries.items()}
    queries: dict[str, Any] = {name: value for name, value in request.queries.items() if name.lower() not in _NOT_SENT}
    if folded.get("x-ms-api-version"):
        queries["api-version"] = folded["x-ms-api-version"]
    return f"{path}?{urlencode(queries)}" if queries else path
