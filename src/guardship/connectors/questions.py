"""Mails that ask: each option is a link to the address the action waits at, with `?choice=` and the option.

A mail scanner that opens a link answers nothing: the address shows a page, and only its button is the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

from guardship.connectors.acting import JSON, BadInput
from guardship.connectors.mail import Mail
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse

_SENDS = ("send", "send_old", "send_email", "send_email_v3")
_DEFAULT_OPTIONS = {"ask_approval": "Approve, Reject", "ask_options": "Yes, No"}


class MailBackEnd:
    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        return None if operation in (*_SENDS, *_DEFAULT_OPTIONS) else f"mail has no operation {operation}"

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        if request.operation in _SENDS:
            return await self._mail.call(request, context)
        try:
            body = question_of(request.body, _DEFAULT_OPTIONS[request.operation])
        except BadInput as error:
            return ConnectorResponse(400, JSON, {"error": {"code": error.code, "message": str(error)}})
        await self._mail.call(replace(request, operation="send", body=body), context)
        return ConnectorResponse(200, JSON, {})


def question_of(body: Any, options: str) -> dict[str, Any]:
    """The mail for `{"NotificationUrl": …, "Message": {"To": …, "Subject": …, "Body": …, "Options": "Approve, Reject"}}`."""
    given = _folded(body, "body")
    address = address_in(given)
    message = _folded(given.get("message"), "Message")
    written = message.get("options") or options
    listed = written if isinstance(written, list) else str(written).split(",")
    choices = [str(option).strip() for option in listed if str(option).strip()]
    if not choices:
        raise BadInput("Message.Options: at least one option is needed")
    text = f"{message.get('headertext') or ''}<div>{message.get('body') or ''}</div>"
    text += f"<p>{escape(str(message.get('selectiontext') or 'Choose an answer:'))}</p>{links_to(address, choices)}"
    kept = {name: message.get(name.lower()) for name in ("To", "Cc", "Bcc", "Subject", "Importance", "Attachments")}
    return {**kept, "Subject": kept["Subject"] or "A playbook asks for your answer", "Body": text}


def links_to(address: str, choices: Sequence[str]) -> str:
    """A list of links in HTML. Their addresses stand in the plain form of the mail too, so they are their own text."""
    listed = "".join(
        f'<li>{escape(choice)}: <a href="{escape(place)}">{escape(place)}</a></li>'
        for choice, place in ((choice, choice_address(address, choice)) for choice in choices)
    )
    return f"<ul>{listed}</ul>"


def choice_address(address: str, choice: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}choice={quote(choice, safe='')}"


def address_in(given: Mapping[str, Any]) -> str:
    """The address that is waited at; raises BadInput. The keys of `given` are lower-case."""
    names = ("notificationurl", "callback_url", "callbackurl")
    address = str(next((given[name] for name in names if given.get(name)), ""))
    if not address.startswith(("http://", "https://")):
        raise BadInput("NotificationUrl: the address that is called with the answer is needed")
    return address


def _folded(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{what}: an object is needed")
    return {str(name).lower(): inner for name, inner in value.items()}
