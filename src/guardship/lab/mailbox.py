"""A mailbox on loopback: takes every mail by SMTP and tells of it, so that a playbook's mail can be seen without a mail server."""

import asyncio
import contextlib
import email
import email.policy
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from guardship.lab.channel import Message

MAIL_LIMIT = 2 * 1024 * 1024
PATIENCE_SECONDS = 60.0
_TEXT_LIMIT = 4000


@dataclass(slots=True)
class _Envelope:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class Mailbox:
    def __init__(self, listening: socket.socket, received: Callable[[Message], None]) -> None:
        self._listening = listening
        self._received = received
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._converse, sock=self._listening, limit=MAIL_LIMIT)

    def close(self) -> None:
        if self._server:
            self._server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                await self._session(reader, writer)
        finally:
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        envelope = _Envelope()
        _say(writer, "220 lab.invalid Guardship lab mailbox")
        while line := await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS):
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            match word.upper():
                case "HELO":
                    _say(writer, "250 lab.invalid")
                case "EHLO":
                    _say(writer, "250-lab.invalid", f"250-SIZE {MAIL_LIMIT}", "250-SMTPUTF8", "250 8BITMIME")
                case "MAIL":
                    envelope = _Envelope(_path(rest))
                    _say(writer, "250 OK")
                case "RCPT" if envelope.sender or rest:
                    envelope.recipients.append(_path(rest))
                    _say(writer, "250 OK")
                case "DATA" if envelope.recipients:
                    _say(writer, "354 End data with <CR><LF>.<CR><LF>")
                    self._received(_told(envelope, await self._content(reader)))
                    envelope = _Envelope()
                    _say(writer, "250 OK")
                case "DATA":
                    _say(writer, "503 RCPT first")
                case "RSET":
                    envelope = _Envelope()
                    _say(writer, "250 OK")
                case "NOOP":
                    _say(writer, "250 OK")
                case "QUIT":
                    _say(writer, "221 Bye")
                    await writer.drain()
                    return
                case _:
                    _say(writer, "502 Command not implemented")
            await writer.drain()

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        lines: list[bytes] = []
        size = 0
        while (line := await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)) not in (b".\r\n", b".\n"):
            size += len(line)
            if not line or size > MAIL_LIMIT:
                raise ValueError("the mail does not end, or is too large")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


def _say(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())


def _path(text: str) -> str:
    """`FROM:<a@b> SIZE=10` -> `a@b`."""
    _, _, rest = text.partition("<")
    return rest.partition(">")[0] if rest else text.partition(":")[2].strip()


def _told(envelope: _Envelope, content: bytes) -> Message:
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(preferencelist=("plain", "html"))
    text = str(body.get_content()) if body else ""
    return {
        "from": envelope.sender,
        "to": envelope.recipients,
        "subject": str(mail["Subject"] or ""),
        "text": text.replace("\r\n", "\n")[:_TEXT_LIMIT],
        "message_id": str(mail["Message-ID"] or ""),
    }
