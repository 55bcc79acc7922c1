"""The Http action: calls over aiohttp, with limits, outbound rules and the documented authentication kinds.

Hosts that map to ARM leave through that door, where writes are observed; nothing else reaches them. No private address unless it is
allowed, checked on the address that is connected to, so that a name cannot change its meaning in between; redirects are checked again.
"""

import asyncio
import base64
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)

MOST_ANSWER_BYTES = 100 * 1024 * 1024
MOST_REDIRECTS = 5
CALL_SECONDS = 120.0
POLL_SECONDS = 5.0
_NO_BODY = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    status: int
    headers: Mapping[str, str]
    body: Any


class Door(Protocol):
    """A way to a host that calls of ours go through: for ARM hosts, the observed client. Runs in a thread."""

    def call(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], context: CallContext) -> DoorAnswer: ...


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """Which hosts may be called. `allowed_hosts` empty: all; an entry `.example.org` stands for the domain and all below it."""

    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()  # private ones that may be reached, such as 10.0.0.0/8
    ca_file: str | None = None
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", tuple(ipaddress.ip_network(network) for network in self.allowed_networks))

    def refuse_host(self, host: str) -> str | None:
        folded = host.lower().rstrip(".")
        if not folded:
            return "the address names no host"
        if self.allowed_hosts and not any(folded == entry.lstrip(".") or folded.endswith("." + entry.lstrip(".")) for entry in self.allowed_hosts):
            return f"the host {host} is not among those that playbooks may call"
        try:
            return self.refuse_address(folded.strip("[]"))
        except ValueError:
            return None  # a name: judged by what it resolves to

    def refuse_address(self, address: str) -> str | None:
        found = ipaddress.ip_address(address)
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        found = mapped or found
        if found.is_global and not found.is_multicast:
            return None
        if any(found.version == network.version and found in network for network in self.networks):
            return None
        return f"the address {address} is private, and playbooks may not call it"


class _CheckedResolver(AbstractResolver):
    """Names resolve only to addresses that may be called."""

    def __init__(self, rules: OutboundRules) -> None:
        self._rules = rules

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC)
        results: list[ResolveResult] = []
        for kind, _, proto, _, address in found:
            if self._rules.refuse_address(str(address[0])) is None:
                results.append({"hostname": host, "host": str(address[0]), "port": port, "family": kind, "proto": proto, "flags": socket.AI_NUMERICHOST})
        if not results:
            raise OSError(f"{host} resolves to addresses that playbooks may not call")
        return results

    async def close(self) -> None:
        return None


class Http:
    name = "http"
    title = "HTTP"
    operations = tuple(
        Operation(method.lower(), method, "{uri}", Recovery.RETRY, has_effect=method not in ("GET", "HEAD"), timeout_seconds=7200.0)
        for method in ("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    )
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, doors: Mapping[str, Door], rules: OutboundRules) -> None:
        self._doors = {host.lower(): door for host, door in doors.items()}
        self._rules = rules
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        url = _with_queries(request.path, request.queries)
        door = self._doors.get((url.host or "").lower())
        if door is not None:
            answer = await asyncio.to_thread(door.call, request.method, str(url), body=request.body, headers=request.headers, context=context)
            return ConnectorResponse(answer.status, dict(answer.headers), answer.body)
        self._check(url)
        headers = self._headers(request, context)
        answer_url, response = await self._send(request.method, url, headers, _data(request.body, headers))
        is_async = "DisableAsyncPattern" not in str(request.options.get("operationOptions", ""))
        while is_async and response.status_code == 202 and (place := _location(response)):
            await asyncio.sleep(_pause(response))
            answer_url = URL(urljoin(str(answer_url), place))
            self._check(answer_url)
            answer_url, response = await self._send("GET", answer_url, headers, None)
        return response

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https"):
            raise CallFailed("InvalidUri", f"the address {url} is neither http nor https")
        reason = self._rules.refuse_host(url.host or "")
        if reason is not None:
            raise CallFailed("OutboundRefused", reason)

    def _headers(self, request: ConnectorRequest, context: CallContext) -> dict[str, str]:
        headers = {"Idempotency-Key": context.idempotency_key, "x-ms-client-request-id": context.guid, "User-Agent": "guardship"}
        headers.update(request.headers)
        if request.options.get("cookie"):
            headers["Cookie"] = str(request.options["cookie"])
        authentication = request.options.get("authentication")
        if isinstance(authentication, dict):
            headers["Authorization"] = _authorization(authentication)
        return headers

    async def _send(self, method: str, url: URL, headers: dict[str, str], data: bytes | None) -> tuple[URL, ConnectorResponse]:
        """One call, following redirects by hand: each is judged like the first, and secrets stay with their host."""
        sent = dict(headers)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._open().request(method, url, headers=sent, data=data, allow_redirects=False) as response:
                target = response.headers.get("Location") if response.status in (301, 302, 303, 307, 308) else None
                if target is None:
                    return url, await _answer(response)
                following = URL(urljoin(str(url), target))
                self._check(following)
                if (following.host or "").lower() in self._doors:
                    raise CallFailed("OutboundRefused", f"a redirect leads to {following.host}, which is not reached this way")
                if following.origin() != url.origin():
                    sent = {name: value for name, value in sent.items() if name.lower() not in ("authorization", "cookie")}
                if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                    method, data = "GET", None
                url = following
        raise CallFailed("TooManyRedirects", f"the call was redirected more than {MOST_REDIRECTS} times")

    def _open(self) -> "_Guarded":
        if self._session is None or self._session.closed:
            context = ssl.create_default_context(cafile=self._rules.ca_file)
            connector = aiohttp.TCPConnector(limit=200, limit_per_host=50, resolver=_CheckedResolver(self._rules), ssl=context, ttl_dns_cache=30)
            timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=15.0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar())
        return _Guarded(self._session)
