"""The addresses of Request triggers: signed, and answered after the run is committed: 202, or what the playbook's Response says."""

import base64
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from guardship.api.access import DoorsHere
from guardship.api.doors import Doors
from guardship.api.problems import status_of
from guardship.errors import Fault, GuardshipError
from guardship.playbooks.triggering import RequestCall

router = APIRouter(include_in_schema=False)

MOST_BYTES = 100 * 1024 * 1024
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class BodyTooLarge(GuardshipError):
    code = "triggers.body_too_large"
    fault = Fault.TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"the body is over {MOST_BYTES // (1024 * 1024)} MB", hint="send a reference to the data instead")


@router.api_route("/workflows/{playbook_id}/triggers/{trigger}/paths/invoke", methods=_METHODS)
async def invoke(playbook_id: str, trigger: str, request: Request, doors: DoorsHere) -> Response:
    """Errors have the shape of the workflow service: `{"error": {"code", "message"}}`."""
    try:
        return await _fire(playbook_id, trigger, request, doors)
    except GuardshipError as error:
        headers = {"Retry-After": "5"} if error.fault is Fault.UNAVAILABLE else None
        body = {"error": {"code": error.code, "message": str(error)}}
        return Response(orjson.dumps(body), status_code=status_of(error), headers=headers, media_type="application/json")


async def _fire(playbook_id: str, trigger: str, request: Request, doors: Doors) -> Response:
    content = await _content(request)
    call = RequestCall(request.method, dict(request.headers), _queries(request), _body(content, request.headers.get("Content-Type", "")))
    fired = await doors.triggering.fire_request(playbook_id, trigger, call, signature=request.query_params.get("sig", ""))
    headers = {"x-ms-workflow-run-id": fired.accepted[0].run_id} if fired.accepted else {}
    if fired.response is None:
        return Response(status_code=202, headers=headers)
    body = fired.response.body
    content_out = b"" if body is None else body.encode() if isinstance(body, str) else orjson.dumps(body)
    media_type = None if body is None else "text/plain" if isinstance(body, str) else "application/json"
    sent = {
        name: value for name, value in (fired.response.headers or {}).items() if name.lower() not in ("content-length", "transfer-encoding")
    }
    return Response(content_out, status_code=fired.response.status_code, headers={**headers, **sent}, media_type=media_type)


async def _content(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise BodyTooLarge
        parts.append(part)
    return b"".join(parts)


def _queries(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name not in ("sp", "sv", "sig", "api-version")}


def _body(content: bytes, media_type: str) -> Any:
    """JSON is native, text is text, the rest is an envelope of its base64."""
    if not content:
        return None
    if "json" in media_type or not media_type:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise BadBody(f"the body is not JSON: {error}") from error
    if media_type.startswith("text/"):
        return content.decode("utf-8", "replace")

    return {"$content-type": media_type, "$content": base64.b64encode(content).decode()}


class BadBody(GuardshipError):
    code = "triggers.bad_body"
    fault = Fault.BAD_INPUT
