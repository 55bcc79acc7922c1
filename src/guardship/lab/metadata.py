"""The instance metadata service at 169.254.169.254: who a machine is, and a token of its managed identity for who asks on it.

That token is why an isolation must also cut the way here.
"""

import json
from typing import Any

from guardship.lab.http_door import Reply, Request
from guardship.lab.identity import Identity
from guardship.lab.world import RESOURCE_GROUP, SUBSCRIPTION_ID, World


class Metadata:
    def __init__(self, world: World, identity: Identity) -> None:
        self._world = world
        self._identity = identity

    async def answer(self, request: Request) -> Reply:
        if request.headers.get("metadata", "").lower() != "true":
            return _json({"error": "Bad request: the header Metadata: true is missing"}, 400)
        name = next((place.machine for place in self._world.placements() if request.peer in place.addresses), "unknown")
        match request.path.rstrip("/").lower():
            case "/metadata/instance":
                compute = {
                    "name": name,
                    "subscriptionId": SUBSCRIPTION_ID,
                    "resourceGroupName": RESOURCE_GROUP,
                    "azEnvironment": "GuardshipLab",
                }
                return _json({"compute": compute})
            case "/metadata/identity/oauth2/token":
                return _json(self._identity.issue(f"machine-{name}"))
        return _json({"error": "Not found"}, 404)


def _json(body: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
