import asyncio
import email
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from tests.unit.connectors.asking import reason_of, request_for
from tests.unit.connectors.test_azure_automation import context
from tests.unit.connectors.test_http import LOOPBACK
from tests.unit.connectors.test_mail import BODY, Postbox

from guardship.connectors.chat import Chat
from guardship.connectors.http import Http
from guardship.connectors.mail import Mail, MailServer
from guardship.connectors.published_connector import BackEnd
from guardship.connectors.questions import MailBackEnd
from guardship.playbooks.connector import ConnectorRequest, ConnectorResponse

ADDRESS = "http://127.0.0.1:24080/callbacks/t0ken"
QUESTION = {
    "NotificationUrl": ADDRESS,
    "Message": {"To": "soc@example.org", "Subject": "Isolate web-1?", "Body": "<p>High</p>", "Options": "Isolate, Let it & go"},
}


def sent(make: Any, request: ConnectorRequest) -> tuple[ConnectorResponse, list[EmailMessage]]:
    """What a real mail server got of it."""

    async def work() -> tuple[ConnectorResponse, list[str]]:
        postbox = Postbox()
        server = await asyncio.start_server(postbox.serve, "127.0.0.1", 0)
        try:
            end: BackEnd = make(Mail("smtp", MailServer("127.0.0.1", server.sockets[0].getsockname()[1])))
            return await end.call(request, context()), postbox.received
        finally:
            server.close()
            await server.wait_closed()

    answer, received = asyncio.run(work())
    return answer, [email.message_from_string(text, policy=default) for text in received]


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def chat(mail: Mail) -> Chat:
    return Chat("teams", Http({}, LOOPBACK), mail)


def test_a_question_is_a_mail_with_a_link_for_each_option() -> None:
    answer, (message,) = sent(MailBackEnd, request_for("office365", "ask_options", QUESTION))
    assert answer.status_code == 200
    assert message["Subject"] == "Isolate web-1?"
    text = plain(message)
    assert f"Isolate: {ADDRESS}?choice=Isolate" in text
    assert f"{ADDRESS}?choice=Let%20it%20%26%20go" in text


def test_an_approval_without_options_asks_for_yes_or_no() -> None:
    body = {"NotificationUrl": f"{ADDRESS}?sig=1", "Message": {"To": "soc@example.org"}}
    _, (message,) = sent(MailBackEnd, request_for("office365", "ask_approval", body))
    assert f"{ADDRESS}?sig=1&choice=Approve" in plain(message)
    assert f"{ADDRESS}?sig=1&choice=Reject" in plain(message)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Message": {"To": "a@example.org"}}, "NotificationUrl"),
        ({"NotificationUrl": ADDRESS}, "Message"),
        ({"NotificationUrl": ADDRESS, "Message": {"To": "a@example.org", "Options": ", ,"}}, "Message.Options"),
        ("text", "body"),
    ],
)
def test_a_question_that_lacks_something_names_it_and_sends_nothing(body: Any, field: str) -> None:
    answer, received = sent(MailBackEnd, request_for("office365", "ask_approval", body))
    assert reason_of(answer).startswith(field)
    assert not received


def test_a_plain_mail_goes_out_as_before() -> None:
    answer, (message,) = sent(MailBackEnd, request_for("office365", "send", BODY))
    assert answer.status_code == 200
    assert message["Subject"] == BODY["Subject"]


CARD = """{"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "web-1 is under attack"},
 {"type": "FactSet", "facts": [{"title": "Severity", "value": "High"}]}],
 "actions": [{"type": "Action.Submit", "title": "Isolate"}, {"type": "Action.Submit", "title": "Ignore"}]}"""


def test_a_message_of_a_chat_lies_in_the_labs_mailbox_as_text() -> None:
    body = {"recipient": {"channelId": "c"}, "messageBody": "<p>web-1 was <b>isolated</b></p>"}
    answer, (message,) = sent(chat, request_for("teams", "post_message", body))
    assert answer.body["messageId"] == context().guid
    assert "isolated" in plain(message)
    assert "<b>" not in plain(message)


def test_a_card_that_asks_has_its_buttons_as_links() -> None:
    body = {"notificationUrl": ADDRESS, "body": {"messageBody": CARD, "recipient": {"channelId": "c"}}}
    _, (message,) = sent(chat, request_for("teams", "ask_channel_card", body, queries={"groupId": "g"}))
    text = plain(message)
    assert "web-1 is under attack" in text
    assert "Severity High" in text
    assert f"Isolate: {ADDRESS}?choice=Isolate" in text
    assert message["Subject"] == "teams: g"


def test_slack_takes_its_text_from_the_queries() -> None:
    _, (message,) = sent(
        lambda mail: Chat("slack", Http({}, LOOPBACK), mail),
        request_for("slack", "post_message", queries={"channel": "#soc", "text": "hello"}),
    )
    assert plain(message).strip() == "hello"
    assert message["Subject"] == "slack: #soc"


@pytest.mark.parametrize(
    ("operation", "body", "field"), [("post_message", {}, "messageBody"), ("ask_card", {"body": {"messageBody": CARD}}, "NotificationUrl")]
)
def test_a_message_that_lacks_something_names_it(operation: str, body: Any, field: str) -> None:
    answer, received = sent(chat, request_for("teams", operation, body))
    assert reason_of(answer).startswith(field)
    assert not received
