"""The words of a template with as much looking ahead as the grammar needs."""

from __future__ import annotations

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.faults import Refused, word
from agent_sync.transform.template.lexing import Mark, Token, tokens


class Stream:
    """Tokens one by one; what was taken can be put back."""

    __slots__ = ("_ahead", "_meter", "_tokens", "last")

    def __init__(self, text: str, meter: Meter) -> None:
        self._tokens = tokens(text)
        self._meter = meter
        self._ahead: list[Token] = []
        self.last = 0

    def take(self) -> Token:
        """The next token."""
        if self._ahead:
            return self._ahead.pop()
        for token in self._tokens:
            self._meter.token()
            if token.mark is not Mark.COMMENT:
                self.last = token.position
                return token
        return Token(Mark.END, "", self.last)

    def take_solid(self) -> Token:
        """The next token that is no space."""
        token = self.take()
        while token.mark is Mark.SPACE:
            token = self.take()
        return token

    def put_back(self, *tokens: Token) -> None:
        """Make `tokens` the next ones, in this order."""
        self._ahead.extend(reversed(tokens))

    def peek(self) -> Token:
        """The next token, left in place."""
        token = self.take()
        self._ahead.append(token)
        return token

    def peek_solid(self) -> Token:
        """The next token that is no space, left in place; spaces before it are gone."""
        token = self.take_solid()
        self._ahead.append(token)
        return token

    def expect(self, *marks: Mark, where: str) -> Token:
        """The next token that is no space, which must be one of `marks`.

        Raises:
            Refused: it is another one.
        """
        token = self.take_solid()
        if token.mark not in marks:
            raise unexpected(token, where)
        return token


def unexpected(token: Token, where: str) -> Refused:
    """The fault of a token that cannot stand `where` it stands."""
    what = word(token.text) if token.text else "the end of the file"
    return Refused(f"{what} cannot stand {where}", position=token.position)
