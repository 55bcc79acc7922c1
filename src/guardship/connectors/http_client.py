"""Calls over aiohttp with limits and outbound rules, for the Http action and every connector that speaks HTTP.

No private address unless it is allowed, checked on the address that is connected to, so that a name cannot change its meaning in between;
redirects are followed by hand and judged like the first address.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import orjson
from yarl import URL

from guardship.connectors.outbound import OutboundRules
from guardship.playbooks.connector import CallFailed, ConnectorResponse

if TYPE_CHECKING:
    import aiohttp

MOST_ANSWER_BYTES = 100 * 1024 * 1024
MOST_REDIRECTS = 5
CALL_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Came:
    """What came, from where, and what was sent to get it."""

    url: URL
    sent: dict[str, str]
    response: ConnectorResponse


class HttpClient:
    """`refuse` says why a host is not reached this way, or None: such as one that has a door of its own."""

    def __init__(self, rules: OutboundRules, refuse: Callable[[URL], str | None]) -> None:
        self._rules = rules
        self._refuse = refuse
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def check(self, url: URL) -> None:
        if url.scheme not in ("http", "https"):
            raise CallFailed("InvalidUri", f"the address {url} is neither http nor https")
        reason = self._rules.refuse_host(url.host or "") or self._refuse(url)
        if reason is not None:
            raise CallFailed("OutboundRefused", reason)

    def following(self, url: URL, place: str) -> URL:
        """Where an answer leads to, judged like the first address."""
        following = URL(urljoin(str(url), place))
        self.check(following)
        return following

    async def send(
        self, method: str, url: URL, headers: dict[str, str], data: bytes | None, *, trust: ssl.SSLContext | None = None
    ) -> Came:
        """One call with its redirects; secrets stay with their host. `trust` holds a client certificate."""
        self.check(url)
        sent = headers
        for _ in range(MOST_REDIRECTS + 1):
            response, target = await self._once(method, url, sent, data, trust)
            if target is None:
                return Came(url, sent, response)
            following = self.following(url, target)
            sent = kept(sent, url, following)
            if following.origin() != url.origin():
                trust = None
            if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                method, data = "GET", None
            url = following
        raise CallFailed("TooManyRedirects", f"the call was redirected more than {MOST_REDIRECTS} times")

    async def _once(
        self, method: str, url: URL, headers: dict[str, str], data: bytes | None, trust: ssl.SSLContext | None
    ) -> tuple[ConnectorResponse, str | None]:
        session = await self._open()
        import aiohttp

        try:
            async with session.request(method, url, headers=headers, data=data, allow_redirects=False, ssl=trust or True) as response:
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
            connector = aiohttp.TCPConnector(limit=200, limit_per_host=50, resolver=CheckedResolver(self._rules), ssl=self.trust())
            timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=15.0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._rules.ca_file)


# Of the headers an action sets, these say nothing that another host must not know.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "range", "user-agent", "x-ms-client-request-id"})


def kept(sent: dict[str, str], url: URL, following: URL) -> dict[str, str]:
    """What goes along to the next address: all to the same origin; a key in a header of any name stays behind elsewhere."""
    if following.origin() == url.origin():
        return sent
    return {name: value for name, value in sent.items() if name.lower() in _HARMLESS}


def data_of(body: Any, headers: dict[str, str]) -> bytes | None:
    """The body as bytes; JSON unless the action says otherwise, content envelopes as what they hold."""
    if body is None:
        return None
    kind = next((name for name in headers if name.lower() == "content-type"), None)
    if isinstance(body, dict) and "$content" in body and "$content-type" in body:
        if kind is None:
            headers["Content-Type"] = str(body["$content-type"])
        return base64.b64decode(str(body["$content"]))
    if isinstance(body, dict) and isinstance(body.get("$multipart"), list):
        return _multipart(body, headers)
    if isinstance(body, str):
        return body.encode()
    if kind is None:
        headers["Content-Type"] = "application/json"
    return json.dumps(body, ensure_ascii=False).encode()


def _multipart(body: dict[str, Any], headers: dict[str, str]) -> bytes:
    """`{"$content-type": "multipart/form-data", "$multipart": [{"body": …, "headers": {…}}]}` on the wire."""
    boundary = "guardship-part-3f9c1a7e5d2b"
    kind = str(body.get("$content-type") or "multipart/form-data").split(";")[0]
    headers["Content-Type"] = f"{kind}; boundary={boundary}"
    made = bytearray()
    for part in body["$multipart"]:
        given = part if isinstance(part, dict) else {"body": part}
        own = {str(name): str(value) for name, value in (given.get("headers") or {}).items()}
        data = data_of(given.get("body"), own) or b""
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items() if "\n" not in value and "\r" not in value)
        made += f"--{boundary}\r\n{lines}\r\n".encode() + data + b"\r\n"
    return bytes(made) + f"--{boundary}--\r\n".encode()


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
    return ConnectorResponse(response.status, dict(response.headers), read_body(data, kind))


def read_body(data: bytes, kind: str) -> Any:
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


def header_of(response: ConnectorResponse, name: str) -> str:
    return next((value for key, value in response.headers.items() if key.lower() == name), "")
