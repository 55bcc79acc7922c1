"""Functions that take a URI apart."""

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from guardship.playbooks.expressions.arguments import text
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import EvaluationFailed, Value

_PORTS = {"http": 80, "https": 443, "ftp": 21, "ldap": 389, "ws": 80, "wss": 443}


def _taken_apart(function: str, value: Value) -> SplitResult:
    given = text(function, value)
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError as error:
        raise EvaluationFailed(f"The template language function '{function}' expects a URI, not '{given[:200]}'.") from error
    if not parts.scheme:
        raise EvaluationFailed(f"The template language function '{function}' expects an absolute URI, not '{given[:200]}'.")
    return parts


def _entry(name: str, read: Callable[[SplitResult], Value]) -> Entry:
    return Entry(name, 1, 1, lambda value: read(_taken_apart(name, value)))


def _query(parts: SplitResult) -> str:
    return f"?{parts.query}" if parts.query else ""


TABLE = (
    _entry("uriHost", lambda parts: parts.hostname or ""),
    _entry("uriPath", lambda parts: parts.path or "/"),
    _entry("uriPathAndQuery", lambda parts: (parts.path or "/") + _query(parts)),
    _entry("uriPort", lambda parts: parts.port or _PORTS.get(parts.scheme, -1)),
    _entry("uriQuery", _query),
    _entry("uriScheme", lambda parts: parts.scheme),
)
