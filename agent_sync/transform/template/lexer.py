"""Split a template into tokens: the text outside of `{{ }}`, and the tokens inside.

One pass, no character looked at twice, however hostile the file. The rules are those of Go's text/template/parse: what
a token may be followed by, where a space separates, and what the trim markers `{{- ` and ` -}}` remove.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from enum import Enum
from typing import NamedTuple

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.errors import TemplateError, quoted_token

SPACES = " \t\r\n"
LONGEST_NAME = 1_000


class TokenKind(Enum):
    """The kinds of tokens."""

    TEXT = "text"
    COMMENT = "comment"
    OPEN = "{{"
    CLOSE = "}}"
    SPACE = "space"
    STRING = "string"
    RAW = "raw string"
    CHARACTER = "character constant"
    NUMBER = "number"
    COMPLEX = "complex number"
    BOOL = "boolean"
    FIELD = "field"
    VARIABLE = "variable"
    IDENTIFIER = "name"
    KEYWORD = "keyword"
    DOT = "."
    NIL = "nil"
    DECLARE = ":="
    ASSIGN = "="
    PIPE = "|"
    LEFT_PAREN = "("
    RIGHT_PAREN = ")"
    OTHER = "character"
    END = "end of the file"


class Token(NamedTuple):
    """A token and where it starts."""

    kind: TokenKind
    text: str
    position: int


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of `text`; the last one is `TokenKind.END`.

    Raises:
        TemplateError: something inside `{{ }}` is no token of the language.
    """
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        # `{{-3}}` is the number -3, and `{{- 3}}` trims: the space decides.
        trims = text.startswith("-", opening + 2) and text[opening + 3 : opening + 4] in _SPACE_SET
        outside = text[position:opening].rstrip(SPACES) if trims else text[position:opening]
        if outside:
            yield Token(TokenKind.TEXT, outside, position)
        position = opening + 4 if trims else opening + 2
        if text.startswith("/*", position):
            yield Token(TokenKind.COMMENT, "", opening)  # says nothing, but counts against the budget
            position = _after_comment(text, position, opening)
        else:
            yield Token(TokenKind.OPEN, "{{", opening)
            position = yield from _inside(text, position, opening)
    if position < len(text):
        yield Token(TokenKind.TEXT, text[position:], position)
    yield Token(TokenKind.END, "", len(text))


_SPACE_SET = frozenset(SPACES)
_KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"))
_RESERVED = {"true": TokenKind.BOOL, "false": TokenKind.BOOL, "nil": TokenKind.NIL}
_NAMES = (
    TokenKind.FIELD,
    TokenKind.VARIABLE,
    TokenKind.IDENTIFIER,
)  # a tuple: hashing an Enum takes longer than looking through
_AFTER_NAME = re.compile(r"[ \t\r\n.,|:()]|\}\}|\Z")
_NUMBER = r"""[+-]?+(?:
      0[xX][0-9a-fA-F_]*+(?:\.[0-9a-fA-F_]*+)?+(?:[pP][+-]?+[0-9_]*+)?+
    | 0[oO][0-7_]*+(?:\.[0-7_]*+)?+
    | 0[bB][01_]*+(?:\.[01_]*+)?+
    | [0-9_]*+(?:\.[0-9_]*+)?+(?:[eE][+-]?+[0-9_]*+)?+
    )i?+"""
# Possessive throughout: the expressions never go back, so that a literal of megabytes costs one pass and no memory.
_INSIDE = re.compile(
    rf"""
      (?P<CLOSE> (?:[ \t\r\n]-)?+\}}\}} )
    | (?P<SPACE> [ \t\r\n]+?(?=[ \t\r\n]-\}}\}}) | [ \t\r\n]++ )
    | (?P<NUMBER> (?=[+0-9-]|\.[0-9]) {_NUMBER} )
    | (?P<FIELD> \.\w*+ )
    | (?P<VARIABLE> \$\w*+ )
    | (?P<IDENTIFIER> \w++ )
    | (?P<STRING> "[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+" )
    | (?P<CHARACTER> '[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+' )
    | (?P<RAW> `[^`]*+` )
    | (?P<DECLARE> := )
    | (?P<ASSIGN> = )
    | (?P<PIPE> \| )
    | (?P<LEFT_PAREN> \( )
    | (?P<RIGHT_PAREN> \) )
    | (?P<OTHER> [!\#%&*,/;<>?@\[\\\]^{{}}~] )
    """,
    re.VERBOSE,
)
_TOKEN_KINDS = {name: TokenKind[name] for name in _INSIDE.groupindex}
_SIGNED_NUMBER = re.compile(rf"(?=[+-]){_NUMBER}", re.VERBOSE)
_SPACE_RUN = re.compile(r"[ \t\r\n]++")
_UNCLOSED = {
    '"': 'a quoted string has no closing " on its line',
    "'": "a character constant has no closing ' on its line",
    "`": "a raw string has no closing `",
    ":": "after : comes =, as in {{ $name := .value }}",
}


def _after_comment(text: str, position: int, opening: int) -> int:
    """Return where the text goes on after the comment at `position`."""
    end = text.find("*/", position + 2)
    if end < 0:
        raise TemplateError("the comment has no closing */", position=opening)
    end += 2
    if text.startswith("}}", end):
        return end + 2
    if text[end : end + 1] in _SPACE_SET and text.startswith("-}}", end + 1):
        return _after_spaces(text, end + 4)
    raise TemplateError("a comment must reach from {{ to }}: {{/* like this */}}", position=opening)


def _after_spaces(text: str, position: int) -> int:
    found = _SPACE_RUN.match(text, position)
    return found.end() if found is not None else position


def _inside(text: str, position: int, opening: int) -> Generator[Token, None, int]:
    """Yield the tokens from `position` to the closing `}}`; return where the text after it starts."""
    depth = 0
    # One alternative for each kind of token, so that each character is looked at once.
    while (found := _INSIDE.match(text, position)) is not None:
        kind = _TOKEN_KINDS[found.lastgroup or ""]
        end = found.end()
        if kind is TokenKind.CLOSE:
            if depth:
                raise TemplateError("a left parenthesis is not closed in this action", position=opening)
            yield Token(kind, "}}", position)
            return _after_spaces(text, end) if end - position > 2 else end
        if kind is TokenKind.LEFT_PAREN:
            depth += 1
        elif kind is TokenKind.RIGHT_PAREN:
            depth -= 1
            if depth < 0:
                raise TemplateError("a right parenthesis has no left one", position=position)
        elif kind is TokenKind.NUMBER:
            kind, end = _number(text, position, end)
        elif kind in _NAMES:
            kind = _checked_name(kind, text, position, end)
        yield Token(kind, text[position:end], position)
        position = end
    raise _no_token(text, position, opening)


def _checked_name(kind: TokenKind, text: str, position: int, end: int) -> TokenKind:
    """Return the kind of the name between `position` and `end`, after a look at what follows it."""
    name = text[position:end]
    if _AFTER_NAME.match(text, end) is None:
        raise TemplateError(f"the character {quoted_token(text[end])} cannot follow {quoted_token(name)}", position=end)
    if len(name) > LONGEST_NAME:
        raise TemplateError(
            f"the name {quoted_token(name)} is longer than {LONGEST_NAME} characters", position=position
        )
    if not name.isascii():
        # `\w` of Python is wider than what Go takes for a letter or digit.
        for offset, character in enumerate(name):
            if not (character.isalpha() or character.isdecimal() or character in "_.$"):
                raise TemplateError(
                    f"the character {quoted_token(character)} cannot be part of a name", position=position + offset
                )
    if kind is TokenKind.IDENTIFIER:
        return TokenKind.KEYWORD if name in _KEYWORDS else _RESERVED.get(name, kind)
    return TokenKind.DOT if name == "." else kind


def _number(text: str, position: int, end: int) -> tuple[TokenKind, int]:
    """Return the kind of the number, which may be complex, and where it ends."""
    kind = TokenKind.NUMBER
    # `1+2i` is one complex number; `1+2` is not a sum but an error.
    second = _SIGNED_NUMBER.match(text, end)
    if second is not None and second.group().endswith("i"):
        kind, end = TokenKind.COMPLEX, second.end()
    elif second is not None:
        raise TemplateError("templates have no arithmetic; separate numbers with spaces", position=position)
    following = text[end : end + 1]
    if following == "_" or following.isalpha() or following.isdecimal():
        raise TemplateError(f"the number {quoted_token(text[position : end + 1])} is malformed", position=position)
    return kind, end


def _no_token(text: str, position: int, opening: int) -> TemplateError:
    """Return the error about an action in which no token starts at `position`."""
    if position >= len(text):
        return TemplateError("the action is not closed with }}", position=opening)
    character = text[position]
    return TemplateError(
        _UNCLOSED.get(character, f"the character {quoted_token(character)} has no meaning inside {{{{ }}}}"),
        position=position,
    )


# -- Tokens with as much look-ahead as the grammar needs.


class TokenStream:
    """Tokens one by one; what was taken can be put back."""

    __slots__ = ("_ahead", "_meter", "_tokens", "last")

    def __init__(self, text: str, meter: Meter) -> None:
        self._tokens = tokenize(text)
        self._meter = meter
        self._ahead: list[Token] = []
        self.last = 0

    def take(self) -> Token:
        """Return the next token."""
        if self._ahead:
            return self._ahead.pop()
        for token in self._tokens:
            self._meter.token()
            if token.kind is not TokenKind.COMMENT:
                self.last = token.position
                return token
        return Token(TokenKind.END, "", self.last)

    def take_nonspace(self) -> Token:
        """Return the next token that is no space."""
        token = self.take()
        while token.kind is TokenKind.SPACE:
            token = self.take()
        return token

    def put_back(self, *tokens: Token) -> None:
        """Make `tokens` the next ones, in this order."""
        self._ahead.extend(reversed(tokens))

    def peek(self) -> Token:
        """Return the next token without taking it."""
        token = self.take()
        self._ahead.append(token)
        return token

    def peek_nonspace(self) -> Token:
        """Return the next token that is no space without taking it; spaces before it are dropped."""
        token = self.take_nonspace()
        self._ahead.append(token)
        return token

    def expect(self, *kinds: TokenKind, where: str) -> Token:
        """Return the next token that is no space, which must be of one of these kinds.

        Raises:
            TemplateError: it is another one.
        """
        token = self.take_nonspace()
        if token.kind not in kinds:
            raise unexpected(token, where)
        return token


def unexpected(token: Token, where: str) -> TemplateError:
    """Return the error about a token that cannot be `where` it is."""
    what = quoted_token(token.text) if token.text else "the end of the file"
    return TemplateError(f"{what} cannot be {where}", position=token.position)
