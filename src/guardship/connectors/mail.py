"""Mail over SMTP, under the names playbooks use: `office365` `/v2/Mail` and `smtp` `/SendEmail`.

A mail that was under way when the process ended is never sent again silently: a person is asked.
Input: `{"To": "soc@example.org; duty@example.org", "Subject": "…", "Body": "<p>…</p>", "Importance": "High", "Cc": "", "Attachments": []}`.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from html.parser import HTMLParser
from typing import Any

import aiosmtplib

from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)

SECONDS = 60.0
MOST_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out; a connection's parameters (`host`, `port`, `username`, `password`, `from`, `security`) come before these."""

    host: str = ""
    port: int = 25
    sender: str = "guardship@localhost"
    security: str = "none"  # none, starttls, tls
    username: str = ""
    password: str = field(default="", repr=False)


class Mail:
    """Both names are one connector each over the same server."""

    title = "Mail"
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, name: str, server: MailServer) -> None:
        self.name = name
        self._server = server
        self.operations = (
            Operation("send", "POST", "/v2/Mail", Recovery.ASK, timeout_seconds=300, summary="Send an email (V2)"),
            Operation("send_email", "POST", "/SendEmail", Recovery.ASK, timeout_seconds=300, summary="Send email"),
            Operation("send_email_v3", "POST", "/SendEmailV3", Recovery.ASK, timeout_seconds=300, summary="Send email (V3)"),
            Operation("send_old", "POST", "/Mail", Recovery.ASK, timeout_seconds=300, summary="Send an email"),
        )

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        server = _server_of(context.connection, self._server)
        if not server.host:
            raise CallFailed("NoMailServer", "no mail server is set up: give the connection a host, or the server a mail setting")
        message = compose(request.body, server.sender, context)
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.username or None,
                password=server.password or None,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                timeout=SECONDS,
            )
        except aiosmtplib.SMTPConnectError as error:
            raise CallFailed(
                "MailServerUnreachable", f"the mail server {server.host}:{server.port} does not answer: {error}", may_retry=True
            ) from error
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            raise CallFailed("MailRefused", f"the mail server refused the mail: {error}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise CallFailed("MailFailed", f"the mail may or may not have been sent: {error}", is_unknown=True) from error
        return ConnectorResponse(200, {"Content-Type": "application/json"}, {"messageId": message["Message-ID"]})


def _server_of(connection: Mapping[str, Any], otherwise: MailServer) -> MailServer:
    if not connection.get("host"):
        return otherwise
    return MailServer(
        host=str(connection["host"]),
        port=int(connection.get("port", 25)),
        sender=str(connection.get("from") or otherwise.sender),
        security=str(connection.get("security", "none")),
        username=str(connection.get("username") or ""),
        password=str(connection.get("password") or ""),
    )


def compose(body: Any, sender: str, context: CallContext) -> EmailMessage:
    fields = {key.lower(): value for key, value in body.items()} if isinstance(body, dict) else {}
    recipients = _addresses(fields.get("to"))
    if not recipients:
        raise CallFailed("NoRecipient", "the mail has no recipient in To")
    message = EmailMessage()
    message["From"] = _line(fields.get("from")) or sender
    message["To"] = ", ".join(recipients)
    for name in ("Cc", "Bcc"):
        if others := _addresses(fields.get(name.lower())):
            message[name] = ", ".join(others)
    message["Subject"] = _line(fields.get("subject"))
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(context.guid, domain="guardship.invalid")
    message["X-Guardship-Run"] = context.run_id
    if str(fields.get("importance", "")).lower() == "high":
        message["Importance"] = "High"
        message["X-Priority"] = "1"
    text = "" if fields.get("body") is None else str(fields["body"])
    message.set_content(_plain(text))
    if "<" in text:
        message.add_alternative(text, subtype="html")
    for attachment in fields.get("attachments") or []:
        _attach(message, attachment)
    return message


def _addresses(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else str(value or "").replace(",", ";").split(";")
    return [_line(part) for part in parts if str(part).strip()]


def _line(value: Any) -> str:
    """One header line: line breaks in it would begin a new header."""
    return " ".join(str(value or "").split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("p", "br", "div", "tr", "li"):
            self.parts.append("\n")


def _plain(text: str) -> str:
    if "<" not in text:
        return text
    reader = _Text()
    reader.feed(text)
    return "".join(reader.parts).strip() + "\n"


def _attach(message: EmailMessage, attachment: Any) -> None:
    given = {key.lower(): value for key, value in attachment.items()} if isinstance(attachment, dict) else {}
    content = given.get("contentbytes")
    content = content.get("$content") if isinstance(content, dict) else content
    try:
        data = base64.b64decode(str(content or ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CallFailed("InvalidAttachment", f"the attachment {given.get('name')} is not base64") from error
    if len(data) > MOST_BYTES:
        raise CallFailed("AttachmentTooLarge", f"the attachment {given.get('name')} has more than {MOST_BYTES} bytes")
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=_line(given.get("name")) or "attachment")
