"""Addresses that actions give away: whoever calls one answers the action that waits.

A call of it is a POST. Opened in a browser, as from a mail, an address shows what would be answered and a button that answers it: looking
at a link, as mail scanners do, answers nothing.
"""

import html
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Request, Response

from guardship.api.access import DoorsHere
from guardship.api.bodies import bounded
from guardship.api.doors import Doors
from guardship.api.problems import status_of
from guardship.api.triggers import WALLS, body_of
from guardship.errors import GuardshipError
from guardship.playbooks.messages import AddressCall

router = APIRouter(include_in_schema=False)

MOST_BYTES = 10 * 1024 * 1024
CHOICE = "choice"  # of an approval mail: the option that this address stands for
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"


@router.post("/callbacks/{token}")
async def call_back(token: str, request: Request, doors: DoorsHere) -> Response:
    """The first call is the answer; a later one is taken note of and answered 200 as well."""
    try:
        disposition = await _take(token, request, doors)
    except GuardshipError as error:
        body = orjson.dumps({"error": {"code": error.code, "message": str(error)}})
        return Response(body, status_code=status_of(error), media_type="application/json", headers=WALLS)
    if "text/html" in request.headers.get("Accept", "") and request.query_params.get(CHOICE):
        told = "Your answer was taken." if disposition == "taken" else "Somebody has answered before, or nobody waits any more."
        return _page("Answered", f"<p>{told}</p>")
    return Response(orjson.dumps({"disposition": disposition}), media_type="application/json", headers=WALLS)


@router.get("/callbacks/{token}")
async def show(token: str, request: Request, doors: DoorsHere) -> Response:
    choice = request.query_params.get(CHOICE, "")
    if not choice:
        return _page("An answer is waited for", "<p>This address is called by a service, with POST.</p>")
    shown = html.escape(choice)
    return _page("Answer", f'<p>Your answer is <strong>{shown}</strong>.</p><form method="post"><button>Send this answer</button></form>')


async def _take(token: str, request: Request, doors: Doors) -> str:
    content = await bounded(request, MOST_BYTES, hint="send a reference to the data instead")
    media_type = request.headers.get("Content-Type", "")
    queries = dict(request.query_params)
    choice = queries.pop(CHOICE, None)
    body = (
        {"SelectedOption": choice} if choice else _form(content) if "x-www-form-urlencoded" in media_type else body_of(content, media_type)
    )
    headers = {name: value for name, value in request.headers.items() if name.lower() not in ("authorization", "cookie")}
    sender = request.client.host if request.client else ""
    return await doors.runner.messages.call_back(token, AddressCall(sender, headers, queries, body))


def _form(content: bytes) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True).items()}


def _page(title: str, body: str) -> Response:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title} · Guardship</title>"
    style = "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}</style>"
    made = f"{head}{style}<h1>{title}</h1>{body}</html>"
    headers = {"Content-Security-Policy": _PAGE_POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return Response(made, media_type="text/html", headers=headers)
