"""Parse what follows the keyword inside `{{ }}`: pipelines, commands, operands and literals, as Go writes them."""

from __future__ import annotations

import re
from typing import assert_never

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.errors import TemplateError, quoted_token
from agent_sync.transform.template.functions import FUNCTIONS
from agent_sync.transform.template.lexer import Token, TokenKind, TokenStream, unexpected
from agent_sync.transform.template.nodes import (
    CONSTANTS,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Literal,
    Nil,
    Operand,
    Overflow,
    Pipe,
    Variable,
)
from agent_sync.transform.template.values import Variables, from_bytes, to_bytes

# -- Literals: strings, character constants and numbers.

_LONGEST_NUMBER = 1_000
_SMALLEST_INT, _LARGEST_INT, _LARGEST_UINT = -(2**63), 2**63 - 1, 2**64 - 1

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEX_FLOAT = re.compile(rf"[+-]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_FLOAT_SIGNS = frozenset(".eEpP")
_HEX_INTEGER = re.compile(r"0[xX][^pP]+")

_ESCAPE = re.compile(rb"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|)")
_SIMPLE = dict(zip(b"abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\"", strict=True))


class TooLarge:
    """An integer literal that Go can read but not hold in its `int`; using it is an error, writing it is none."""


def string_of(literal: str) -> str:
    """Return the string that `literal`, quotes included, stands for.

    Raises:
        TemplateError: an escape in it is not one of Go's.
    """
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    return _unescaped(literal[1:-1], quote='"')


def character_of(literal: str) -> int:
    """Return the code point, or the byte of an escape such as `'\\xff'`, that a character constant stands for.

    Raises:
        TemplateError: it is not exactly one character.
    """
    inner = literal[1:-1]
    if len(inner) == 1:
        return ord(inner)
    found = _ESCAPE.fullmatch(to_bytes(inner))
    if found is None:
        raise TemplateError(f"a character constant is one character in single quotes, not {quoted_token(literal)}")
    return _escape_value(found, quote="'")


def number_of(literal: str) -> int | float | TooLarge:
    """Return the number that `literal` stands for: a float if it looks like one, else an int.

    Raises:
        TemplateError: it is no number, complex, or too large for a float.
    """
    if len(literal) > _LONGEST_NUMBER:
        raise TemplateError(f"the number {quoted_token(literal)} is longer than {_LONGEST_NUMBER} characters")
    if literal.endswith("i"):
        raise complex_refused(literal)
    plain = literal.replace("_", "")
    if _INTEGER.fullmatch(literal):
        integer = _integer_of(plain)
        # Go parses a literal as signed and as unsigned, and a leading `+` rules the second out.
        if _SMALLEST_INT <= integer <= (_LARGEST_INT if literal.startswith("+") else _LARGEST_UINT):
            return _untyped_constant(literal, integer)
    elif _HEX_FLOAT.fullmatch(literal):
        return _hex_float(plain, literal)
    if _DECIMAL_FLOAT.fullmatch(literal) and not _FLOAT_SIGNS.isdisjoint(literal):
        value = float(plain)
        if abs(value) != float("inf"):
            return value
    raise TemplateError(f"{quoted_token(literal)} is not a number, or too large for one")


def complex_refused(literal: str) -> TemplateError:
    """Return the error about a complex number."""
    return TemplateError(f"complex numbers such as {quoted_token(literal)} are not part of agent-sync's templates")


def _integer_of(plain: str) -> int:
    digits = plain.lstrip("+-")
    base = _BASES.get(digits[:2].lower())
    value = int(digits, 8 if digits[0] == "0" else 10) if base is None else int(digits[2:], base)
    return -value if plain[0] == "-" else value


def _untyped_constant(literal: str, integer: int) -> int | float | TooLarge:
    """Apply Go's rule for an untyped constant: `-0xe` is a float, for it has an `e` and does not start with `0x`."""
    if not _FLOAT_SIGNS.isdisjoint(literal) and not _HEX_INTEGER.fullmatch(literal):
        return float(integer)
    return integer if integer <= _LARGEST_INT else TooLarge()


def _hex_float(plain: str, literal: str) -> float:
    try:
        return float.fromhex(plain)
    except OverflowError as error:
        raise TemplateError(f"{quoted_token(literal)} is too large for a number") from error


def _unescaped(inner: str, *, quote: str) -> str:
    if "\\" not in inner:
        return inner
    return from_bytes(_ESCAPE.sub(lambda found: _escape_bytes(found, quote=quote), to_bytes(inner)))


def _escape_bytes(found: re.Match[bytes], *, quote: str) -> bytes:
    value = _escape_value(found, quote=quote)
    _simple, _byte, short, long, _octal = found.groups()
    return chr(value).encode("utf-8") if short or long else bytes((value,))


def _escape_value(found: re.Match[bytes], *, quote: str) -> int:
    simple, byte, short, long, octal = found.groups()
    # Inside double quotes `\'` is no escape, and inside single quotes `\"` is none.
    if simple and simple not in b"'\"".replace(quote.encode(), b""):
        return _SIMPLE[simple[0]]
    if octal and int(octal, 8) < 256:
        return int(octal, 8)
    if byte:
        return int(byte, 16)
    if (short or long) and _is_character(value := int(short or long, 16)):
        return value
    raise TemplateError(f"{quoted_token(from_bytes(found.group()) or chr(92))} is not an escape that Go knows")


def _is_character(value: int) -> bool:
    return value < 0xD800 or 0xE000 <= value <= 0x10FFFF


# -- Pipelines, commands and operands.


class PipelineParser:
    """The parser of one body's pipelines; `variables` are those that the body has declared so far."""

    def __init__(self, stream: TokenStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self.variables = Variables(None)

    def pipeline(self, where: str, *, end: TokenKind = TokenKind.CLOSE) -> Pipe:
        """Parse everything up to `end`, which is taken as well. `where` names the keyword in messages.

        Raises:
            TemplateError: it is no pipeline.
        """
        position = self._stream.peek_nonspace().position
        declares, assigns = self._declarations(where)
        commands: list[Command] = []
        while (token := self._stream.take_nonspace()).kind is not end:
            if token.kind not in _STARTS_COMMAND:
                raise unexpected(token, f"in {where}")
            self._stream.put_back(token)
            commands.append(self._command())
        _refuse_odd(commands, where, position)
        return Pipe(declares, assigns, tuple(commands), position)

    def _declarations(self, where: str) -> tuple[tuple[str, ...], bool]:
        """Parse the variables before `:=` or `=`, and tell whether it is `=`. A range may have two."""
        names: list[str] = []
        while (variable := self._stream.peek_nonspace()).kind is TokenKind.VARIABLE:
            self._stream.take()
            # A space is a token of its own: `$x .y` is a variable and an argument, `$x.y` a variable and its field.
            after = self._stream.peek()
            follower = self._stream.peek_nonspace()
            if follower.kind in (TokenKind.DECLARE, TokenKind.ASSIGN):
                self._stream.take()
                self._declare(variable, names)
                return tuple(names), follower.kind is TokenKind.ASSIGN
            if follower.kind is not TokenKind.OTHER or follower.text != ",":
                # No declaration but an operand: give back what was taken, with the space that separates it.
                self._stream.put_back(*((variable, after) if after.kind is TokenKind.SPACE else (variable,)))
                break
            self._stream.take()
            self._declare(variable, names)
            if where != "range" or len(names) > 1:
                raise TemplateError(f"too many variables are declared in {where}", position=variable.position)
            if self._stream.peek_nonspace().kind not in (TokenKind.VARIABLE, TokenKind.CLOSE, TokenKind.RIGHT_PAREN):
                raise TemplateError("after the comma comes a second variable", position=follower.position)
        return tuple(names), False

    def _declare(self, variable: Token, names: list[str]) -> None:
        names.append(variable.text)
        self.variables.declare(variable.text, None)

    def _command(self) -> Command:
        """Parse operands separated by spaces, up to `|`, which is taken, or an end, which is not."""
        position = self._stream.peek_nonspace().position
        operands: list[Operand] = []
        while True:
            self._stream.peek_nonspace()
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            token = self._stream.take()
            if token.kind is TokenKind.SPACE:
                continue
            if token.kind in (TokenKind.CLOSE, TokenKind.RIGHT_PAREN):
                self._stream.put_back(token)
            elif token.kind is not TokenKind.PIPE:
                raise unexpected(token, "between operands")
            return Command(tuple(operands), position)

    def _operand(self) -> Operand | None:
        """Parse a term with the fields that follow it; None if the next token starts no term."""
        term = self._term()
        if term is None or self._stream.peek().kind is not TokenKind.FIELD:
            return term
        position = self._stream.peek().position
        names: list[str] = []
        while self._stream.peek().kind is TokenKind.FIELD:
            names.append(self._stream.take().text[1:])
        match term:
            case Field():
                return Field((*term.names, *names), term.position)
            case Variable():
                return Variable(term.name, (*term.names, *names), term.position)
            case Call() | Chain() | Pipe():
                return Chain(term, tuple(names), position)
            case Dot() | Nil() | Literal() | Overflow():
                raise TemplateError("a constant has no fields", position=position)
            case _:
                assert_never(term)

    def _term(self) -> Operand | None:
        token = self._stream.take_nonspace()
        position = token.position
        match token.kind:
            case TokenKind.IDENTIFIER:
                return _call(token)
            case TokenKind.DOT:
                return Dot(position)
            case TokenKind.NIL:
                return Nil(position)
            case TokenKind.VARIABLE:
                if token.text not in self.variables:
                    raise TemplateError(f"the variable {quoted_token(token.text)} is not declared", position=position)
                return Variable(token.text, (), position)
            case TokenKind.FIELD:
                return Field((token.text[1:],), position)
            case TokenKind.LEFT_PAREN:
                self._meter.enter()
                pipe = self.pipeline("parentheses", end=TokenKind.RIGHT_PAREN)
                self._meter.leave()
                return pipe
            case (
                TokenKind.BOOL
                | TokenKind.CHARACTER
                | TokenKind.NUMBER
                | TokenKind.COMPLEX
                | TokenKind.STRING
                | TokenKind.RAW
            ):
                # Each escape costs a call of Python, so a literal of a million of them is work.
                self._meter.step(token.text.count("\\"))
                return constant(token)
            case _:
                self._stream.put_back(token)
                return None


def constant(token: Token) -> Literal | Overflow:
    """Return the node of a literal.

    Raises:
        TemplateError: it is malformed, at the token's position.
    """
    try:
        match token.kind:
            case TokenKind.BOOL:
                return Literal(token.text == "true", token.position)
            case TokenKind.STRING | TokenKind.RAW:
                return Literal(string_of(token.text), token.position)
            case TokenKind.CHARACTER:
                return Literal(character_of(token.text), token.position)
            case TokenKind.COMPLEX:
                raise complex_refused(token.text)
            case _:
                number = number_of(token.text)
    except TemplateError as error:
        raise TemplateError(error.check, position=token.position) from error
    return Overflow(token.text, token.position) if isinstance(number, TooLarge) else Literal(number, token.position)


_STARTS_COMMAND = (
    TokenKind.FIELD,
    TokenKind.IDENTIFIER,
    TokenKind.VARIABLE,
    TokenKind.STRING,
    TokenKind.DOT,
    TokenKind.NUMBER,
    TokenKind.LEFT_PAREN,
    TokenKind.BOOL,
    TokenKind.RAW,
    TokenKind.CHARACTER,
    TokenKind.NIL,
    TokenKind.COMPLEX,
)


def _call(token: Token) -> Call:
    if token.text in FUNCTIONS:
        return Call(token.text, token.position)
    if token.text == "call":
        check = "`call` is not part of agent-sync's templates: data holds no functions"
    else:
        check = f"the function {quoted_token(token.text)} does not exist"
    remedy = (
        f"if it is a variable, write .{token.text} with a dot; if the braces are not meant for agent-sync, leave the"
        ' file out with an `exclude:` glob in the transform, or write {{"{{"}} for two braces'
    )
    raise TemplateError(check, position=token.position, remedy=remedy if token.text != "call" else None)


def _refuse_odd(commands: list[Command], where: str, position: int) -> None:
    """Raise TemplateError if there is no command, or a later one is a constant, which could take no input."""
    if not commands:
        raise TemplateError(f"a value is missing in {where}", position=position)
    for command in commands[1:]:
        if isinstance(command.operands[0], CONSTANTS):
            raise TemplateError("after | comes a function, not a constant", position=command.position)
