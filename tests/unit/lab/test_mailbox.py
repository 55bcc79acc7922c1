import asyncio
import socket
from email.message import EmailMessage

import aiosmtplib

from guardship.lab.channel import Message
from guardship.lab.mailbox import Mailbox


async def deliver(mail: EmailMessage) -> list[Message]:
    received: list[Message] = []
    listening = socket.create_server(("127.0.0.1", 0))
    mailbox = Mailbox(listening, received.append)
    await mailbox.open()
    try:
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=listening.getsockname()[1], timeout=5)
    finally:
        mailbox.close()
    return received


def test_a_mail_arrives_with_its_subject_and_text() -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "guardship@lab.invalid", "soc@lab.invalid", "web-1 is cut off ✓"
    mail.set_content("line\n.a line that begins with a dot\nüber\n")
    (received,) = asyncio.run(deliver(mail))
    assert received["subject"] == "web-1 is cut off ✓"
    assert received["to"] == ["soc@lab.invalid"]
    assert received["text"] == "line\n.a line that begins with a dot\nüber\n"


def test_an_html_mail_is_told_by_its_source() -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@lab.invalid", "b@lab.invalid", "s"
    mail.set_content("<p>cut</p>", subtype="html")
    (received,) = asyncio.run(deliver(mail))
    assert "<p>cut</p>" in received["text"]
