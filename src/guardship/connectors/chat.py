"""Teams and Slack: messages and questions, to the webhook address of the connection, or in the lab to its mailbox.

Cards go as the text they hold: a webhook of either service takes text, and a question's buttons become links that answer it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardship.connectors.acting import JSON, BadInput
from guardship.connectors.adaptive_cards import choices_of, text_of_message
from guardship.connectors.http import Http
from guardship.connectors.mail import Mail
from guardship.connectors.questions import address_in, choice_address
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse

_CHANNEL_NAMES = ("channel", "groupid", "teamid", "location")


class Chat:
    def __init__(self, connector: str, http: Http, lab_mail: Mail | None) -> None:
        self._connector = connector
        self._http = http
        self._lab_mail = lab_mail

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        if self._lab_mail is not None or connection.get("webhook"):
            return None
        return f"the connection {self._connector} lacks webhook, the address that takes its messages"

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        try:
            text = message_of(request)
        except BadInput as error:
            return ConnectorResponse(400, JSON, {"error": {"code": error.code, "message": str(error)}})
        webhook = str(context.connection.get("webhook") or "")
        if webhook:
            order = replace(request, method="POST", path=webhook, segments={}, queries={}, headers={}, body={"text": text}, options={})
            came = await self._http.call(order, context)
            if not 200 <= came.status_code < 300:
                return came
        elif self._lab_mail is not None:
            subject = f"{self._connector}: {_channel(request) or 'a message'}"
            body = {"To": f"{self._connector}@lab.invalid", "Subject": subject, "Body": text}
            await self._lab_mail.call(replace(request, body=body), context)
        return ConnectorResponse(200, JSON, {"ok": True, "id": context.guid, "messageId": context.guid, "ts": context.guid})


def message_of(request: ConnectorRequest) -> str:
    """The text; a question's answers stand below it, each with the address that gives it."""
    given = {name.lower(): value for name, value in request.body.items()} if isinstance(request.body, Mapping) else {}
    inner = given.get("body")
    folded = {name.lower(): value for name, value in inner.items()} if isinstance(inner, Mapping) else {}
    written = next(
        (
            value
            for value in (given.get("messagebody"), folded.get("messagebody"), folded.get("content"), given.get("text"), inner)
            if value
        ),
        None,
    ) or next((value for name, value in request.queries.items() if name.lower() == "text"), None)
    text = text_of_message(written)
    if not text:
        raise BadInput("messageBody: a message needs a text")
    if given.get("subject"):
        text = f"{given['subject']}\n{text}"
    if request.operation.startswith("ask_"):
        address = address_in(given)
        choices = choices_of(written) or ["Submit"]
        text += "\n" + "\n".join(f"{choice}: {choice_address(address, choice)}" for choice in choices)
    return text


def _channel(request: ConnectorRequest) -> str:
    given = {**request.segments, **request.queries}
    return str(next((value for name, value in given.items() if name.lower() in _CHANNEL_NAMES and value), ""))
