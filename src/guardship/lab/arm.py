"""The lab's Azure Resource Manager: what an HTTP request means, who may ask, and what is enforced before it is answered.

Any api-version is taken (clients send many), none is refused. Lab extensions, all below the provider `Guardship.Lab`:
- `GET {machine}/providers/Guardship.Lab/flows`: the machine's TCP connections, `live` only where payload is getting through;
- `GET S/providers/Guardship.Lab/probeTargets`: who answers probes; `S/providers/Guardship.Lab/outsideHosts/{name}` can be the
  source of a connectivityCheck, which also takes the protocols Udp and Dns.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from guardship.cloud.resource_id import BadResourceId, ResourceId, split_path
from guardship.lab import arm_reads, arm_writes
from guardship.lab.arm_reads import LAB_PROVIDER, Reads
from guardship.lab.arm_writes import Refused
from guardship.lab.channel import ChannelClosed, Message
from guardship.lab.http_door import Reply, Request
from guardship.lab.identity import Identity, TokenRefused, discovery, endpoints
from guardship.lab.netlink import NetlinkRefused
from guardship.lab.operations import FaultKind, Operations
from guardship.lab.plane import DataPlane
from guardship.lab.probes import DEFAULT_SECONDS
from guardship.lab.world import SUBSCRIPTION_ID, TENANT_ID, Body, World, new_etag

NETWORK = "microsoft.network"
_STORED = {
    "microsoft.network/publicipaddresses",
    "microsoft.network/bastionhosts",
    "microsoft.network/applicationsecuritygroups",
    "microsoft.compute/snapshots",
    "microsoft.compute/disks",
}
_WHOLE_WRITES = {
    "microsoft.network/networkinterfaces": arm_writes.interface,
    "microsoft.network/networksecuritygroups": arm_writes.security_group,
    "microsoft.network/virtualnetworks": arm_writes.network,
} | dict.fromkeys(_STORED, arm_writes.stored)
_PART_WRITES = {
    "microsoft.network/networksecuritygroups/securityrules": arm_writes.security_rule,
    "microsoft.network/virtualnetworks/subnets": arm_writes.subnet,
}


@dataclass(frozen=True, slots=True)
class Written:
    """One write that has been enforced, on the monotonic clock."""

    resource_id: str
    method: str
    started_at: float
    enforced_at: float


class Arm:
    def __init__(self, world: World, plane: DataPlane, identity: Identity, *, with_ipv6: bool, told: Callable[[Written], None]) -> None:
        self._world = world
        self._plane = plane
        self._identity = identity
        self._with_ipv6 = with_ipv6
        self._told = told
        self.operations = Operations(world)
        self.reads = Reads(world, self.operations)
        self._writing = asyncio.Lock()

    async def answer(self, request: Request) -> Reply:
        try:
            return await self._answer(request)
        except Refused as refused:
            return _error(refused.status, refused.code, refused.message)
        except BadResourceId as bad:
            return _error(400, "InvalidResourceId", bad.message)
        except (ChannelClosed, TimeoutError) as error:
            return _error(500, "InternalServerError", f"A machine of the lab does not answer: {error}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # a body of another shape than ARM's
            return _error(400, "InvalidRequestContent", f"The request content was invalid: {error!r}")

    async def reset(self) -> None:
        async with self._writing:
            self._world.reset()
            await self._plane.apply(self._world)

    async def _answer(self, request: Request) -> Reply:
        authority = f"https://{request.host}"
        segments = split_path(request.path)
        lowered = tuple(segment.lower() for segment in segments)
        if (opened := self._without_token(request, lowered, authority)) is not None:
            return opened
        try:
            self._identity.check(request.headers.get("authorization", ""))
        except TokenRefused as refused:
            challenge = f'Bearer authorization_uri="{authority}/{TENANT_ID}", error="invalid_token"'
            return _error(401, "AuthenticationFailed", f"Authentication failed: {refused}.", {"WWW-Authenticate": challenge})
        if "api-version" not in request.query:
            return _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."
            )
        if self.operations.take_fault(FaultKind.THROTTLE):
            return _error(429, "TooManyRequests", "The request is being throttled.", {"Retry-After": str(self.operations.retry_after)})
        if self.operations.take_fault(FaultKind.SERVER_ERROR):
            return _error(503, "ServerUnavailable", "The service is unavailable, as the lab was asked to be.")
        if lowered in {("tenants",), ("subscriptions",)}:
            return _json({"value": [arm_reads.tenant() if lowered[0] == "tenants" else arm_reads.subscription()]})
        if lowered[:1] != ("subscriptions",) or len(lowered) < 2:
            raise Refused(404, "NotFound", f"Nothing is at {request.path}.")
        if lowered[1] != SUBSCRIPTION_ID:
            raise Refused(404, "SubscriptionNotFound", f"The subscription '{segments[1]}' could not be found.")
        return await self._in_subscription(request, ResourceId.parse(request.path), lowered, authority)

    def _without_token(self, request: Request, path: tuple[str, ...], authority: str) -> Reply | None:
        match path:
            case ("metadata", "endpoints"):
                return _json(endpoints(authority, request.query.get("api-version", "")))
            case (_, "oauth2", "token") | (_, "oauth2", "v2.0", "token") if request.method == "POST":
                try:
                    return _json(self._identity.sign_in(request.body))
                except TokenRefused as refused:
                    return _json({"error": str(refused), "error_description": f"AADSTS7000215: the lab refused: {refused}."}, 401)
            case (_, ".well-known", "openid-configuration") | (_, "v2.0", ".well-known", "openid-configuration"):
                return _json(discovery(authority))
            case (_, "discovery", "v2.0", "keys"):
                return _json({"keys": []})
        return None

    async def _in_subscription(self, request: Request, target: ResourceId, path: tuple[str, ...], authority: str) -> Reply:
        match (request.method, *path[2:]):
            case ("GET",):
                return _json(arm_reads.subscription())
            case ("GET", "providers"):
                return _json({"value": arm_reads.providers()})
            case ("GET", "resourcegroups"):
                return _json({"value": self.reads.groups()})
            case ("GET", "resourcegroups", name):
                return _found(self.reads.group(name), target)
            case ("PUT", "resourcegroups", _):
                return _json(self.reads.add_group(target.name), 201)
            case ("GET", "providers", _, "locations", _, "operations", name):
                return _found(self.operations.status(name), target)
            case ("GET", "providers", "microsoft.security", "alerts"):
                return _json({"value": []})
            case ("GET", "providers", "guardship.lab", "probetargets"):
                return _json(arm_reads.probe_targets(with_ipv6=self._with_ipv6) | {"dataPlane": self._plane.kind})
            case ("GET", *_) if path[-3:-1] == ("providers", LAB_PROVIDER.lower()) and path[-1] == "flows":
                return await self._flows(target)
            case ("POST", *_):
                return await self._act(request, target, path, authority)
            case ("GET", *_):
                return self._read(request, target, authority)
            case ("PUT" | "PATCH" | "DELETE", *_):
                return await self._write(request, target, authority)
        raise Refused(405, "MethodNotAllowed", f"The method {request.method} is not allowed here.")

    def _read(self, request: Request, target: ResourceId, authority: str) -> Reply:
        if (body := self.reads.resource(str(target))) is not None:
            return _json(body, headers=_etag(body))
        if (found := self.reads.listing(target, request.query)) is not None:
            return _json(self.reads.page(found, authority + str(target), request.query))
        raise _missing(target)

    async def _act(self, request: Request, target: ResourceId, path: tuple[str, ...], authority: str) -> Reply:
        owner = "/" + "/".join(target.segments[:-1])
        match path[-1]:
            case "connectivitycheck":
                return await self._connectivity(json.loads(request.body))
            case "effectivenetworksecuritygroups" if interface := self._world.find(owner):
                return _json(self.reads.effective_groups(interface))
            case "restart" if machine := self._world.machine(owner):
                await self._plane.end_sessions(str(machine["name"]))
                name = self.operations.begin(owner)
                return Reply(202, b"", {"Azure-AsyncOperation": authority + self.operations.path(name), "Retry-After": "0"})
        raise Refused(404, "NotFound", f"The lab cannot {path[-1]} {owner}.")

    async def _connectivity(self, asked: Body) -> Reply:
        source = ResourceId.parse(str(asked["source"]["resourceId"])).name
        destination: Body = asked["destination"]
        address = destination.get("address") or self._address_of(str(destination.get("resourceId")), asked.get("preferredIPVersion"))
        ip_address(address)
        protocol = str(asked.get("protocol") or "Tcp")
        if protocol.lower() not in {"tcp", "udp", "dns", "http"}:
            raise Refused(400, "UnsupportedProtocol", f"The lab cannot probe by {protocol}.")
        seconds = float(asked.get("probeSeconds") or DEFAULT_SECONDS)
        try:
            found = await self._plane.probe(source, protocol, str(address), int(destination["port"]), min(seconds, 10.0))
        except KeyError as error:
            raise Refused(404, "ResourceNotFound", f"The lab has no machine called {source}.") from error
        latency = found["latency_ms"] if found["answered"] else None
        return _json(
            {
                "connectionStatus": "Reachable" if found["answered"] else "Unreachable",
                "avgLatencyInMs": latency,
                "minLatencyInMs": latency,
                "maxLatencyInMs": latency,
                "probesSent": 1,
                "probesFailed": 0 if found["answered"] else 1,
                "hops": [],
                "detail": found["detail"],
                "dataPlane": self._plane.kind,
            }
        )

    def _address_of(self, machine_id: str, version: Any) -> str:
        machine = self._world.machine(machine_id)
        if machine is None:
            raise Refused(404, "ResourceNotFound", f"The resource {machine_id} was not found.")
        wanted = ":" if str(version or "IPv4").lower() == "ipv6" else "."
        for placement in self._world.placements():
            if placement.machine.lower() == str(machine["name"]).lower():
                for address in placement.addresses:
                    if wanted in address:
                        return address
        raise Refused(400, "NoSuchAddress", f"{machine['name']} has no {version or 'IPv4'} address.")

    async def _flows(self, target: ResourceId) -> Reply:
        machine = self._world.machine("/" + "/".join(target.segments[:-3]))
        if machine is None:
            raise _missing(target)
        flows: list[Message] = await self._plane.flows(str(machine["name"]))
        return _json({"value": flows, "dataPlane": self._plane.kind})

    async def _write(self, request: Request, target: ResourceId, authority: str) -> Reply:
        started_at = time.monotonic()
        async with self._writing:
            old = self._world.find(str(target))
            _check_etag(request, old, target)
            asked: Body = json.loads(request.body) if request.body else {}
            before = self._world.find(str(target.parent)) if target.type.lower() in _PART_WRITES else old
            new = self._after(request.method, target, asked, old)
            has_failed = self.operations.take_fault(FaultKind.FAIL_OPERATION)
            if not has_failed:
                await self._enforce(target, before, new)
                self._told(Written(str(target), request.method, started_at, time.monotonic()))
        name = self.operations.begin(str(target), has_failed=has_failed)
        headers = {"Azure-AsyncOperation": authority + self.operations.path(name), "Retry-After": str(self.operations.retry_after)}
        if request.method == "DELETE":
            return Reply(202 if old else 204, b"", headers if old else {})
        body = self.reads.resource(str(target)) or {**(old or {"id": str(target)}), "properties": (old or {}).get("properties", {})}
        body["properties"] = {**body["properties"], "provisioningState": "Updating"}
        is_lost = self.operations.take_fault(FaultKind.LOSE_ANSWER)
        return _json(body, 200 if old else 201, headers=headers | _etag(body), is_lost=is_lost)

    def _after(self, method: str, target: ResourceId, asked: Body, old: Body | None) -> Body | None:
        """The whole resource as it will be; None when it will be gone."""
        kind = target.type.lower()
        if method == "PATCH":
            if old is None:
                raise _missing(target)
            if set(asked) - {"tags"} or kind in _PART_WRITES:
                raise Refused(400, "PatchNotSupported", "The lab takes only tags of a whole resource in a PATCH.")
            return {**old, "tags": asked.get("tags") or {}, "etag": new_etag()}
        if kind in _PART_WRITES:
            return _PART_WRITES[kind](self._world, target, None if method == "DELETE" else asked)
        if kind not in _WHOLE_WRITES:
            raise Refused(405, "MethodNotAllowed", f"The lab does not write {target.type}.")
        if method == "DELETE":
            self._check_unused(target)
            return None
        return _WHOLE_WRITES[kind](self._world, target, asked)

    def _check_unused(self, target: ResourceId) -> None:
        for placement in self._world.placements():
            if target.key in {
                placement.interface_id,
                placement.interface_group,
                placement.subnet_group,
                placement.subnet_id.rpartition("/subnets/")[0],
            }:
                raise Refused(400, "ResourceInUse", f"{target} is in use by {placement.interface_id}.")

    async def _enforce(self, target: ResourceId, before: Body | None, new: Body | None) -> None:
        if new is None:
            self._world.delete(str(target))
        else:
            self._world.put(new)
        try:
            await self._plane.apply(self._world)
        except NetlinkRefused as refused:
            self._world.put(before) if before else self._world.delete(str((new or {}).get("id", target)))
            await self._plane.apply(self._world)
            raise Refused(500, "InternalServerError", refused.message) from refused


def _check_etag(request: Request, old: Body | None, target: ResourceId) -> None:
    wanted = request.headers.get("if-match")
    if wanted and (old is None or (wanted != "*" and wanted != old.get("etag"))):
        raise Refused(412, "PreconditionFailed", f"Etag {wanted} of {target} does not match {(old or {}).get('etag')}.")
    if request.headers.get("if-none-match") == "*" and old is not None:
        raise Refused(412, "PreconditionFailed", f"{target} exists.")


def _missing(target: ResourceId) -> Refused:
    return Refused(
        404, "ResourceNotFound", f"The Resource '{target.type}/{target.name}' under resource group '{target.group}' was not found."
    )


def _found(body: Body | None, target: ResourceId) -> Reply:
    if body is None:
        raise _missing(target)
    return _json(body)


def _etag(body: Body) -> dict[str, str]:
    return {"ETag": str(body["etag"])} if body.get("etag") else {}


def _json(body: Any, status: int = 200, *, headers: dict[str, str] | None = None, is_lost: bool = False) -> Reply:
    content = json.dumps(body, separators=(",", ":")).encode()
    return Reply(status, content, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}, is_lost)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    return _json({"error": {"code": code, "message": message}}, status, headers=headers)
