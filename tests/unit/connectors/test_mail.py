import asyncio
import email
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from tests.unit.connectors.test_azure_automation import context

from guardship.connectors.mail import Mail, MailServer, compose
from guardship.playbooks.connector import CallFailed, ConnectorRequest, Recovery

BODY = {"To": "soc@example.org; duty@example.org", "Subject": "web-1 was isolated", "Body": "<p>High</p><p>web-1</p>", "Importance": "High"}


class Postbox:
    """A mail server that takes one mail, or refuses its recipients."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.received: list[str] = []
        self.recipients: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 postbox")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "RCPT":
                self.recipients.append(line.split("<")[1].split(">")[0])
                say("550 no such user" if self.refuses else "250 ok")
            elif verb == "DATA":
                say("354 go on")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.received.append(text.removesuffix("\r\n.\r\n"))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 ok")
            await writer.drain()
        writer.close()


def send(body: Any, postbox: Postbox, **connection: Any) -> Any:
    async def work() -> Any:
        server = await asyncio.start_server(postbox.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        mail = Mail("office365", MailServer("127.0.0.1", port))
        try:
            return await mail.call(ConnectorRequest("send", "POST", "/v2/Mail", {}, {}, {}, body), context())
        finally:
            server.close()
            await server.wait_closed()

    return asyncio.run(work())


def test_a_mail_arrives_with_both_forms_of_its_text() -> None:
    postbox = Postbox()
    assert send(BODY, postbox).status_code == 200
    message: Message = email.message_from_string(postbox.received[0], policy=default)
    assert message["Subject"] == "web-1 was isolated"
    assert message["Importance"] == "High"
    assert postbox.recipients == ["soc@example.org", "duty@example.org"]
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_recipient_that_is_refused_fails_the_mail() -> None:
    with pytest.raises(CallFailed) as caught:
        send(BODY, Postbox(refuses=True))
    assert caught.value.code == "MailRefused"


def test_a_line_break_in_a_subject_makes_no_header() -> None:
    message = compose({**BODY, "Subject": "x\r\nBcc: all@example.org"}, "guardship@localhost", context())
    assert message["Bcc"] is None
    assert message["Subject"] == "x Bcc: all@example.org"


def test_a_mail_without_a_recipient_is_not_sent() -> None:
    with pytest.raises(CallFailed, match="recipient"):
        compose({**BODY, "To": ""}, "guardship@localhost", context())


def test_attachments_are_carried_and_must_be_base64() -> None:
    message = compose({**BODY, "Attachments": [{"Name": "alert.txt", "ContentBytes": "aGk="}]}, "guardship@localhost", context())
    assert [part.get_filename() for part in message.iter_attachments()] == ["alert.txt"]
    with pytest.raises(CallFailed, match="base64"):
        compose({**BODY, "Attachments": [{"Name": "x", "ContentBytes": "%"}]}, "guardship@localhost", context())


def test_a_server_that_is_away_may_be_tried_again() -> None:
    mail = Mail("office365", MailServer("127.0.0.1", 1))
    with pytest.raises(CallFailed) as caught:
        asyncio.run(mail.call(ConnectorRequest("send", "POST", "/v2/Mail", {}, {}, {}, BODY), context()))
    assert caught.value.may_retry


def test_without_a_server_the_mail_says_what_is_missing() -> None:
    with pytest.raises(CallFailed, match="no mail server"):
        asyncio.run(Mail("smtp", MailServer()).call(ConnectorRequest("send", "POST", "/SendEmail", {}, {}, {}, BODY), context()))


def test_a_crash_in_the_middle_of_a_mail_asks_a_person() -> None:
    assert {operation.recovery for operation in Mail("office365", MailServer()).operations} == {Recovery.ASK}
