"""Large bodies in parts, long lists in pages.

Parts up: the call is announced with `x-ms-transfer-mode: chunked`, the answer says where (`Location`) and how large (`x-ms-chunk-size`),
and each part is a PATCH with its `Content-Range`. Parts down: `Range`, as long as the answer is 206. Pages: `nextLink`, until there are
as many items as were asked for.
"""

import base64
from collections.abc import Mapping
from typing import Any

from yarl import URL

from guardship.connectors.http_client import MOST_ANSWER_BYTES, Came, HttpClient, header_of, kept, read_body
from guardship.playbooks.connector import CallFailed, ConnectorResponse

PART_BYTES = 5 * 1024 * 1024
MOST_PAGES = 1000
_NEXT = ("nextLink", "@odata.nextLink", "odata.nextLink")


def is_chunked(options: Mapping[str, Any]) -> bool:
    given = options.get("contenttransfer")
    return isinstance(given, dict) and str(given.get("transferMode", "")).lower() == "chunked"


async def in_parts(client: HttpClient, method: str, url: URL, headers: dict[str, str], data: bytes | None) -> Came:
    if method == "GET":
        return await _download(client, url, headers)
    if data is None or len(data) <= PART_BYTES:
        return await client.send(method, url, headers, data)
    announced = {**headers, "x-ms-transfer-mode": "chunked", "x-ms-content-length": str(len(data))}
    came = await client.send(method, url, announced, None)
    place = header_of(came.response, "location")
    if not 200 <= came.response.status_code < 300:
        return came
    if not place:
        raise CallFailed("ChunkedTransferRefused", f"{url.host} does not take a body in parts: its answer names no Location")
    asked = header_of(came.response, "x-ms-chunk-size")
    size = min(max(int(asked), 64 * 1024), 50 * 1024 * 1024) if asked.isdigit() else PART_BYTES
    target = client.following(url, place)
    sent = kept(headers, url, target)
    for start in range(0, len(data), size):
        part = data[start : start + size]
        ranged = {**sent, "Content-Range": f"bytes={start}-{start + len(part) - 1}/{len(data)}", "Content-Type": "application/octet-stream"}
        came = await client.send("PATCH", target, ranged, part)
        if not 200 <= came.response.status_code < 300:
            return came
    return came


async def _download(client: HttpClient, url: URL, headers: dict[str, str]) -> Came:
    parts = bytearray()
    while True:
        came = await client.send("GET", url, {**headers, "Range": f"bytes={len(parts)}-{len(parts) + PART_BYTES - 1}"}, None)
        if came.response.status_code != 206:
            return came  # whole at once, or an error that is told as it is
        before = len(parts)
        parts += _bytes_of(came.response.body)
        whole = header_of(came.response, "content-range").rpartition("/")[2]
        if len(parts) > MOST_ANSWER_BYTES:
            raise CallFailed("AnswerTooLarge", f"the answer has more than {MOST_ANSWER_BYTES} bytes")
        if len(parts) == before or not whole.isdigit() or len(parts) >= int(whole):
            kind = header_of(came.response, "content-type")
            return Came(came.url, came.sent, ConnectorResponse(200, came.response.headers, read_body(bytes(parts), kind)))


def _bytes_of(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, dict) and "$content" in body:
        return base64.b64decode(body["$content"])
    return str(body).encode()


async def all_pages(client: HttpClient, came: Came, options: Mapping[str, Any]) -> Came:
    """The pages after the first joined to it, where the action asks for more items than it holds."""
    policy = options.get("paginationpolicy")
    wanted = policy.get("minimumItemCount") if isinstance(policy, dict) else None
    body = came.response.body
    if not isinstance(wanted, int) or not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return came
    items: list[Any] = list(body["value"])
    following, last = came, body
    for _ in range(MOST_PAGES):
        place = next((str(last[name]) for name in _NEXT if last.get(name)), "")
        if not place or len(items) >= wanted:
            break
        target = client.following(following.url, place)
        following = await client.send("GET", target, kept(following.sent, following.url, target), None)
        page = following.response.body
        if following.response.status_code != 200 or not isinstance(page, dict) or not isinstance(page.get("value"), list):
            return following  # the page's own error: half a list would be a lie
        items.extend(page["value"])
        last = page
    joined = {name: value for name, value in body.items() if name not in _NEXT} | {"value": items}
    return Came(came.url, came.sent, ConnectorResponse(200, came.response.headers, joined))
