"""What an adaptive card says and asks, as plain text: for chats that take text, and for mail."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

_TAG = re.compile(r"<[^>]+>")


def text_of_message(message: Any) -> str:
    """HTML, a card, or the text of a card, as text."""
    card = card_of(message)
    if card is None:
        return _TAG.sub(" ", str(message or "")).strip()
    return "\n".join(_texts(card))


def choices_of(message: Any) -> list[str]:
    """The titles of its Action.Submit buttons, in their order."""
    card = card_of(message)
    return [] if card is None else list(dict.fromkeys(_titles(card)))


def card_of(message: Any) -> Mapping[str, Any] | None:
    if isinstance(message, str) and message.lstrip().startswith("{"):
        try:
            message = orjson.loads(message)
        except orjson.JSONDecodeError:
            return None
    return message if isinstance(message, Mapping) else None


def _texts(part: Any) -> list[str]:
    match part:
        case list():
            return [text for inner in part for text in _texts(inner)]
        case Mapping():
            kind = part.get("type")
            own = [str(part["text"])] if kind == "TextBlock" and part.get("text") else []
            facts = part.get("facts")
            own += [f"{fact.get('title', '')} {fact.get('value', '')}".strip() for fact in facts or [] if isinstance(fact, Mapping)]
            inside = ("body", "items", "columns", "card", "content", "attachments")
            return own + [text for name in inside for text in _texts(part.get(name))]
        case _:
            return []


def _titles(part: Any) -> list[str]:
    match part:
        case list():
            return [title for inner in part for title in _titles(inner)]
        case Mapping():
            own = [str(part["title"])] if part.get("type") == "Action.Submit" and part.get("title") else []
            return own + [title for name, inner in part.items() if name != "data" for title in _titles(inner)]
        case _:
            return []
