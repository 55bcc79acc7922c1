"""A place in the tokens of one query, and the few steps every part of the parser takes from there."""

from guardship.errors import Span
from guardship.workspace.kql.errors import BrokenSyntax
from guardship.workspace.kql.tokens import Places, Token, TokenKind, tokenize


class Cursor:
    def __init__(self, text: str) -> None:
        self.text = text
        self.places = Places(text)
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    def ahead(self, count: int = 1) -> Token:
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these marks or words; a string that reads the same is not."""
        return self.token.text in texts and self.token.kind in (TokenKind.NAME, TokenKind.MARK)

    def at_end(self) -> bool:
        return self.token.kind is TokenKind.END

    def at_name(self) -> bool:
        return self.token.kind is TokenKind.NAME

    def accept(self, *texts: str) -> Token | None:
        return self.take() if self.at(*texts) else None

    def expect(self, text: str, why: str = "") -> Token:
        if not self.at(text):
            raise self.unexpected(f"{text}{f' {why}' if why else ''}")
        return self.take()

    def expect_name(self, what: str) -> Token:
        """A plain name, or one in brackets: `['a b']`."""
        if self.at("[") and self.ahead().kind is TokenKind.STRING and self.ahead(2).text == "]":
            opening, name, closing = self.take(), self.take(), self.take()
            return Token(TokenKind.NAME, name.text, opening.start, closing.end)
        if not self.at_name():
            raise self.unexpected(what)
        return self.take()

    def unexpected(self, wanted: str) -> BrokenSyntax:
        token = self.token
        if token.kind is TokenKind.END:
            end = len(self.text.rstrip())
            return BrokenSyntax(f"the query ends where {wanted} should follow", span=self.places.span(end, end))
        shown = self.text[token.start : min(token.end, token.start + 40)]
        hint = "to compare, write ==" if token.text == "=" and token.kind is TokenKind.MARK else None
        return BrokenSyntax(f"{shown!r} stands where {wanted} should", span=self.span_of(token), hint=hint)

    def span_of(self, token: Token) -> Span:
        return self.places.span(token.start, token.end)

    def span_from(self, start: int) -> Span:
        """From an offset to the end of the token taken last."""
        end = self._tokens[self._at - 1].end if self._at else start
        return self.places.span(start, end)
