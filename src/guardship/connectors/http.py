"""The Http action: calls over aiohttp, with limits, outbound rules and the documented authentication kinds.

Hosts that map to ARM leave through that door, where writes are observed; nothing else reaches them. No private address unless it is
allowed, checked on the address that is connected to, so that a name cannot change its meaning in between; redirects are checked again.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

import orjson
from yarl import URL

from guardship.cloud.arm import Actor, ActorKind, ArmClient, ArmError, ArmUnreachable
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

if TYPE_CHECKING:
    import aiohttp

MOST_ANSWER_BYTES = 100 * 1024 * 1024
MOST_REDIRECTS = 5
CALL_SECONDS = 120.0
POLL_SECONDS = 5.0
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
        self._rules = rules
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        url = _with_queries(request.path, request.queries)
        door = self._door(url)
        if door is not None:
            answer = await asyncio.to_thread(
                door.call, request.method, str(url), body=request.body, headers=request.headers, context=context
            )
            return ConnectorResponse(answer.status, dict(answer.headers), answer.body)
        self._check(url)
        headers = self._headers(request, context)
        data = _data(request.body, headers)
        came = await self._send(request.method, url, headers, data)
        is_async = "DisableAsyncPattern" not in str(request.options.get("operationOptions", ""))
        while is_async and came.response.status_code == 202 and (place := _header(came.response, "location")):
            await asyncio.sleep(_pause(came.response))
            following = self._following(came.url, place)
            came = await self._send("GET", following, _kept(came.sent, came.url, following), None)
        return came.response

    def _door(self, url: URL) -> Door | None:
        host = (url.host or "").lower().rstrip(".")
        found = self._doors.get(f"{host}:{url.port}") or self._doors.get(host)
        if found is None and any(host == name or host.endswith(f".{name}") for name in ARM_NAMES):
            raise CallFailed(
                "OutboundRefused", f"{host} is an Azure Resource Manager without a connected account, which is not reached this way"
            )
        return found

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

    async def _send(self, method: str, url: URL, headers: dict[str, str], data: bytes | None) -> "_Came":
        """One call, following redirects by hand: each is judged like the first, and secrets stay with their host."""
        sent = headers
        for _ in range(MOST_REDIRECTS + 1):
            response, target = await self._once(method, url, sent, data)
            if target is None:
                return _Came(url, sent, response)
            following = self._following(url, target)
            sent = _kept(sent, url, following)
            if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                method, data = "GET", None
            url = following
        raise CallFailed("TooManyRedirects", f"the call was redirected more than {MOST_REDIRECTS} times")

    def _following(self, url: URL, place: str) -> URL:
        """Where an answer leads to, judged like the first address; never to a door, whose calls are made by its own client."""
        following = URL(urljoin(str(url), place))
        self._check(following)
        if self._door(following) is not None:
            raise CallFailed("OutboundRefused", f"the answer leads to {following.host}, which is not reached this way")
        return following

    async def _once(self, method: str, url: URL, headers: dict[str, str], data: bytes | None) -> tuple[ConnectorResponse, str | None]:
        session = await self._open()
        import aiohttp

        try:
            async with session.request(method, url, headers=headers, data=data, allow_redirects=False) as response:
                target = response.headers.get("Location") if response.status in (301, 302, 303, 307, 308) else None
                return await _answer(response), target
        except aiohttp.ClientConnectorError as error:
            raise CallFailed("ConnectionFault", f"{url.host} does not answer: {error}", may_retry=True) from error
        except TimeoutError as error:
            raise CallFailed("RequestTimeout", f"{url.host} did not answer within {CALL_SECONDS:g} s", may_retry=True) from error
        except aiohttp.ClientError as error:
            raise CallFailed("ConnectionFault", f"the call of {url.host} broke off: {error}", may_retry=True) from error

    async def _open(self) -> "aiohttp.ClientSession":
        # Late, and not in the loop: a heavy library, and a server whose playbooks call nobody does without it.
        if self._session is None:
            await asyncio.to_thread(import_module, "guardship.connectors.resolving")
        import aiohttp

        from guardship.connectors.resolving import CheckedResolver

        if self._session is None or self._session.closed:
            trust = ssl.create_default_context(cafile=self._rules.ca_file)
            connector = aiohttp.TCPConnector(limit=200, limit_per_host=50, resolver=CheckedResolver(self._rules), ssl=trust)
            timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=15.0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


@dataclass(frozen=True, slots=True)
class _Came:
    """What came, from where, and what was sent to get it."""

    url: URL
    sent: dict[str, str]
    response: ConnectorResponse


# Of the headers an action sets, these say nothing that another host must not know.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent", "x-ms-client-request-id"})


def _kept(sent: dict[str, str], url: URL, following: URL) -> dict[str, str]:
    """What goes along to the next address: all to the same origin; a key in a header of any name stays behind elsewhere."""
    if following.origin() == url.origin():
        return sent
    return {name: value for name, value in sent.items() if name.lower() in _HARMLESS}


def _with_queries(address: str, queries: Mapping[str, Any]) -> URL:
    try:
        url = URL(address)
        if not url.host:
            raise ValueError("it names no host")
        return url.update_query({name: str(value) for name, value in queries.items()}) if queries else url
    except (ValueError, TypeError) as error:
        raise CallFailed("InvalidUri", f"the address {address[:200]} is not valid: {error}") from error


def _data(body: Any, headers: dict[str, str]) -> bytes | None:
    """The body as bytes; JSON unless the action says otherwise, content envelopes as what they hold."""
    if body is None:
        return None
    kind = next((name for name in headers if name.lower() == "content-type"), None)
    if isinstance(body, dict) and "$content" in body and "$content-type" in body:
        if kind is None:
            headers["Content-Type"] = str(body["$content-type"])
        return base64.b64decode(str(body["$content"]))
    if isinstance(body, str):
        return body.encode()
    if kind is None:
        headers["Content-Type"] = "application/json"
    return json.dumps(body, ensure_ascii=False).encode()


def _authorization(authentication: Mapping[str, Any]) -> str:
    given = {name.lower(): value for name, value in authentication.items()}
    match str(given.get("type", "")).lower():
        case "basic":
            pair = f"{given.get('username', '')}:{given.get('password', '')}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        case "raw":
            return str(given.get("value", ""))
        case "managedserviceidentity":
            raise CallFailed("UnknownIdentity", "a managed identity has a token only for the hosts of a connected cloud account")
        case other:
            raise CallFailed("UnsupportedAuthentication", f"the authentication {other or '(none)'} is not supported by the Http action")


async def _answer(response: "aiohttp.ClientResponse") -> ConnectorResponse:
    """JSON as JSON, text as text, the rest as content; never more than the limit."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(256 * 1024):
        size += len(part)
        if size > MOST_ANSWER_BYTES:
            raise CallFailed("AnswerTooLarge", f"the answer has more than {MOST_ANSWER_BYTES} bytes")
        parts.append(part)
    data = b"".join(parts)
    kind = response.headers.get("Content-Type", "")
    return ConnectorResponse(response.status, dict(response.headers), _read(data, kind))


def _read(data: bytes, kind: str) -> Any:
    if not data:
        return None
    folded = kind.split(";")[0].strip().lower()
    if folded.endswith("json"):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return data.decode(errors="replace")
    if folded.startswith("text/") and not folded.endswith("xml"):
        return data.decode(errors="replace")
    if not folded:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return {"$content-type": kind or "application/octet-stream", "$content": base64.b64encode(data).decode()}


def _header(response: ConnectorResponse, name: str) -> str:
    return next((value for key, value in response.headers.items() if key.lower() == name), "")


def _pause(response: ConnectorResponse) -> float:
    asked = _header(response, "retry-after")
    return float(asked) if asked.isdigit() else POLL_SECONDS


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
