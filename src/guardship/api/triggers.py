"""The addresses of Request triggers: signed, and answered after the run is committed: 202, or what the playbook's Response says.

They share their origin with the console, so an answer is walled in: it sets no cookie and, opened as a page, runs no script.
"""

import base64
import re
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from guardship.api.access import DoorsHere
from guardship.api.bodies import bounded
from guardship.api.doors import Doors
from guardship.api.problems import status_of
from guardship.errors import Fault, GuardshipError
from guardship.playbooks.triggering import RequestCall

router = APIRouter(include_in_schema=False)

MOST_BYTES = 100 * 1024 * 1024
WALLS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
_OURS = {name.lower() for name in WALLS} | {
    "content-length",
    "transfer-encoding",
    "connection",
    "set-cookie",
    "set-cookie2",
    "clear-site-data",
    "service-worker-allowed",
    "strict-transport-security",
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("/workflows/{playbook_id}/triggers/{trigger}/paths/invoke", methods=_METHODS)
@router.api_route("/workflows/{playbook_id}/triggers/{trigger}/paths/invoke/{rest:path}", methods=_METHODS)
async def invoke(playbook_id: str, trigger: str, request: Request, doors: DoorsHere, rest: str = "") -> Response:
    """`rest` is the trigger's relative path. Errors have the shape of the workflow service: `{"error": {"code", "message"}}`."""
    try:
        answer = await _fire(playbook_id, trigger, request, doors, rest)
    except GuardshipError as error:
        headers = {"Retry-After": "5"} if error.fault is Fault.UNAVAILABLE else None
        body = {"error": {"code": error.code, "message": str(error)}}
        answer = Response(orjson.dumps(body), status_code=status_of(error), headers=headers, media_type="application/json")
    answer.headers.update(WALLS)
    return answer


async def _fire(playbook_id: str, trigger: str, request: Request, doors: Doors, rest: str) -> Response:
    signature = request.query_params.get("sig", "")
    doors.triggering.check_signature(playbook_id, trigger, signature)
    content = await bounded(request, MOST_BYTES, hint="send a reference to the data instead")
    body_in = body_of(content, request.headers.get("Content-Type", ""))
    call = RequestCall(request.method, dict(request.headers), _queries(request), body_in, rest)
    fired = await doors.triggering.fire_request(playbook_id, trigger, call, signature=signature)
    headers = {"x-ms-workflow-run-id": fired.accepted[0].run_id} if fired.accepted else {}
    if fired.response is None:
        return Response(status_code=202, headers=headers)
    body = fired.response.body
    content_out = b"" if body is None else body.encode() if isinstance(body, str) else orjson.dumps(body)
    media_type = None if body is None else "text/plain" if isinstance(body, str) else "application/json"
    sent = {name: _in_one_line(value) for name, value in (fired.response.headers or {}).items() if _may_be_sent(name)}
    return Response(content_out, status_code=fired.response.status_code, headers={**headers, **sent}, media_type=media_type)


def _may_be_sent(name: str) -> bool:
    return name.lower() not in _OURS and _HEADER_NAME.fullmatch(name) is not None


def _in_one_line(value: object) -> str:
    """A header's value as it can be sent; a line break in it would begin another header."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", str(value)).encode("latin-1", "replace").decode("latin-1")


def _queries(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name not in ("sp", "sv", "sig", "api-version")}


def body_of(content: bytes, media_type: str) -> Any:
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
