"""What can be wrong with a query: each error names the place, and where it can, the way out."""

import difflib
from collections.abc import Iterable

from guardship.errors import Fault, Span, TextError


class QueryError(TextError):
    code = "query.error"


class BrokenSyntax(QueryError):
    code = "query.syntax"


class UnknownTable(QueryError):
    code = "query.unknown_table"

    def __init__(self, name: str, span: Span, near: str | None) -> None:
        super().__init__(f"no table called {name}", span=span, hint=did_you_mean(near))


class UnknownColumn(QueryError):
    code = "query.unknown_column"

    def __init__(self, name: str, span: Span, near: str | None) -> None:
        super().__init__(f"no column called {name}", span=span, hint=did_you_mean(near))


class UnknownFunction(QueryError):
    code = "query.unknown_function"

    def __init__(self, name: str, span: Span, near: str | None) -> None:
        super().__init__(f"no function called {name}", span=span, hint=did_you_mean(near))


class UnknownOperator(QueryError):
    code = "query.unknown_operator"

    def __init__(self, name: str, span: Span, near: str | None) -> None:
        super().__init__(f"no operator called {name}", span=span, hint=did_you_mean(near))


class Unsupported(QueryError):
    """Something the language has and we do not, refused before anything runs."""

    code = "query.unsupported"
    fault = Fault.UNSUPPORTED

    def __init__(self, what: str, span: Span, hint: str | None = None) -> None:
        super().__init__(f"{what} is not supported yet", span=span, hint=hint)


class WrongType(QueryError):
    code = "query.wrong_type"


class WrongArguments(QueryError):
    code = "query.wrong_arguments"


class TooLarge(QueryError):
    code = "query.too_large"

    def __init__(self, what: str) -> None:
        super().__init__(f"this query is too large: {what}", hint="split it into several queries")


class DuplicateColumn(QueryError):
    code = "query.duplicate_column"

    def __init__(self, name: str, span: Span) -> None:
        super().__init__(f"two columns would be called {name}", span=span, hint="give one of them another name")


def did_you_mean(near: str | None) -> str | None:
    return f"did you mean {near}?" if near else None


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate a person most likely meant: the same letters in other case, else the most alike."""
    by_folded = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
