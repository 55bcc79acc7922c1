"""The Http action: calls with the documented authentication kinds, paging, and transfer in parts.

Hosts that map to a door (ARM, and what else has a client of its own) leave through that door, where writes are observed; nothing else
reaches them. A call that was accepted (202) is asked for again by the engine, which waits as a row; `poll` says where.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from yarl import URL

from guardship.cloud.arm import Actor, ActorKind, ArmClient, ArmError, ArmUnreachable
from guardship.connectors import transfer
from guardship.connectors.authentication import Authentication
from guardship.connectors.http_client import Came, HttpClient, data_of, header_of, kept
from guardship.connectors.outbound import OutboundRules
from guardship.errors import GuardshipError
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)

ARM_NAMES = (
    "management.azure.com",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "management.azure.us",
    "management.core.windows.net",
)
"""Hosts of Azure Resource Manager, each with all names below it (regions, private links): reached through the gate or not at all."""


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    status: int
    headers: Mapping[str, str]
    body: Any


class Door(Protocol):
    """A way to a host that calls of ours go through: for ARM hosts, the observed client. Runs in a thread."""

    def call(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], context: CallContext) -> DoorAnswer: ...


class Http:
    name = "http"
    title = "HTTP"
    operations = tuple(
        Operation(method.lower(), method, "{uri}", Recovery.RETRY, has_effect=method not in ("GET", "HEAD"), timeout_seconds=7200.0)
        for method in ("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    )
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, doors: Mapping[str, Door], rules: OutboundRules) -> None:
        self._doors = doors  # lower-case hosts, with a port where it is not the scheme's own; may change while we run
        self.client = HttpClient(rules, self._refuse)
        self._authentication = Authentication(self.client)

    async def close(self) -> None:
        await self.client.close()

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        url = with_queries(request.path, request.queries)
        door = self._door(url)
        came = await self._through(door, url, request, context) if door is not None else await self._direct(url, request, context)
        response = came.response
        place = header_of(response, "location")
        if response.status_code == 202 and place:  # where it leads may be said in short
            headers = {name: value for name, value in response.headers.items() if name.lower() != "location"}
            response = replace(response, headers=headers | {"Location": urljoin(str(came.url), place)})
        return response

    async def _through(self, door: Door, url: URL, request: ConnectorRequest, context: CallContext) -> Came:
        method, body = request.method, request.body
        if request.poll is not None:
            following = URL(urljoin(str(url), request.poll))
            if self._door(following) is not door:
                raise CallFailed("OutboundRefused", f"the answer of {url.host} leads to {following.host}, which is not reached this way")
            method, url, body = "GET", following, None
        asked = request.headers
        answer = await asyncio.to_thread(door.call, method, str(url), body=body, headers=asked, context=context)
        return Came(url, dict(asked), ConnectorResponse(answer.status, dict(answer.headers), answer.body))

    async def _direct(self, url: URL, request: ConnectorRequest, context: CallContext) -> Came:
        self.client.check(url)
        headers = {"Idempotency-Key": context.idempotency_key, "x-ms-client-request-id": context.guid, "User-Agent": "guardship"}
        headers.update(request.headers)
        if request.options.get("cookie"):
            headers["Cookie"] = str(request.options["cookie"])
        signed = await self._authentication.of(request.options.get("authentication"))
        url = url.update_query(dict(signed.queries)) if signed.queries else url
        headers, trust = {**headers, **signed.headers}, signed.trust
        if request.poll is not None:
            following = self.client.following(url, request.poll)
            trust = trust if following.origin() == url.origin() else None
            return await self.client.send("GET", following, kept(headers, url, following), None, trust=trust)
        data = data_of(request.body, headers)
        if transfer.is_chunked(request.options):
            came = await transfer.in_parts(self.client, request.method, url, headers, data)
        else:
            came = await self.client.send(request.method, url, headers, data, trust=trust)
        return await transfer.all_pages(self.client, came, request.options)

    def _door(self, url: URL) -> Door | None:
        host = (url.host or "").lower().rstrip(".")
        found = self._doors.get(f"{host}:{url.port}") or self._doors.get(host)
        if found is None and any(host == name or host.endswith(f".{name}") for name in ARM_NAMES):
            raise CallFailed(
                "OutboundRefused", f"{host} is an Azure Resource Manager without a connected account, which is not reached this way"
            )
        return found

    def _refuse(self, url: URL) -> str | None:
        """A door is never reached by following an answer: its calls are made by its own client."""
        return f"{url.host} is not reached this way" if self._door(url) is not None else None


def with_queries(address: str, queries: Mapping[str, Any]) -> URL:
    try:
        url = URL(address)
        if not url.host:
            raise ValueError("it names no host")
        return url.update_query({name: str(value) for name, value in queries.items()}) if queries else url
    except (ValueError, TypeError) as error:
        raise CallFailed("InvalidUri", f"the address {address[:200]} is not valid: {error}") from error


class ArmDoor:
    """The way to ARM: the observed client, with the run as the actor. `find` gives the account's client, or None when it has gone."""

    def __init__(self, find: Callable[[], ArmClient | None]) -> None:
        self._find = find

    def call(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], context: CallContext) -> DoorAnswer:
        arm = self._find()
        if arm is None:
            raise CallFailed("CloudAccountMissing", "no cloud account is connected for this host", may_retry=True)
        actor = Actor(
            ActorKind.PLAYBOOK,
            context.playbook_name,
            run_id=context.run_id,
            incident_id=context.incident_id,
            reason=f"action {context.action_key}",
            person=context.person,
        )
        etag = next((value for name, value in headers.items() if name.lower() == "if-match"), None)
        # The double slash that playbooks write between the host and a resource id means one.
        parts = urlsplit(url)
        clean = parts._replace(path="/" + parts.path.lstrip("/")).geturl()
        try:
            response = arm.call(method, clean, actor=actor, body=body, etag=etag, idempotency_key=context.idempotency_key)
            if response.write is not None:  # the answer stays what ARM said; whether it came true is in the ledger before the next action
                arm.wait(response)
        except ArmUnreachable as error:
            raise CallFailed("ArmUnreachable", error.message, may_retry=True, is_unknown=True) from error
        except ArmError as error:
            raise CallFailed(error.arm_code or "ArmError", error.message) from error
        except GuardshipError as error:
            raise CallFailed(error.code, str(error)) from error
        return DoorAnswer(response.status, response.headers, response.body)
