"""Parses what stands inside `{{ }}` after the keyword: pipelines, commands and operands."""

from __future__ import annotations

from typing import assert_never

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.faults import Refused, word
from agent_sync.transform.template.functions import FUNCTIONS
from agent_sync.transform.template.lexing import Mark, Token
from agent_sync.transform.template.literals import TooLarge, character_of, complex_refused, number_of, string_of
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
from agent_sync.transform.template.stream import Stream, unexpected
from agent_sync.transform.template.variables import Variables


class PipelineParser:
    """Reads pipelines of one body from `stream`; `variables` are those that the body has declared so far."""

    def __init__(self, stream: Stream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self.variables = Variables(None)

    def pipeline(self, where: str, *, end: Mark = Mark.CLOSE) -> Pipe:
        """Everything up to `end`, which is taken as well. `where` is the keyword it belongs to, for messages.

        Raises:
            Refused: it is no pipeline.
        """
        position = self._stream.peek_solid().position
        declares, assigns = self._declarations(where)
        commands: list[Command] = []
        while (token := self._stream.take_solid()).mark is not end:
            if token.mark not in _STARTS_COMMAND:
                raise unexpected(token, f"in {where}")
            self._stream.put_back(token)
            commands.append(self._command())
        _refuse_odd(commands, where, position)
        return Pipe(declares, assigns, tuple(commands), position)

    def _declarations(self, where: str) -> tuple[tuple[str, ...], bool]:
        """The variables before `:=` or `=`, and whether it is `=`. A range may have two."""
        names: list[str] = []
        while (variable := self._stream.peek_solid()).mark is Mark.VARIABLE:
            self._stream.take()
            after = self._stream.peek()
            follower = self._stream.peek_solid()
            if follower.mark in (Mark.DECLARE, Mark.ASSIGN):
                self._stream.take()
                self._declare(variable, names)
                return tuple(names), follower.mark is Mark.ASSIGN
            if follower.mark is not Mark.OTHER or follower.text != ",":
                self._stream.put_back(*((variable, after) if after.mark is Mark.SPACE else (variable,)))
                break
            self._stream.take()
            self._declare(variable, names)
            if where != "range" or len(names) > 1:
                raise Refused(f"too many variables are declared in {where}", position=variable.position)
            if self._stream.peek_solid().mark not in (Mark.VARIABLE, Mark.CLOSE, Mark.RIGHT_PAREN):
                raise Refused("after the comma comes a second variable", position=follower.position)
        return tuple(names), False

    def _declare(self, variable: Token, names: list[str]) -> None:
        names.append(variable.text)
        self.variables.declare(variable.text, None)

    def _command(self) -> Command:
        """Operands separated by spaces, up to `|`, which is taken, or an end, which is not."""
        position = self._stream.peek_solid().position
        operands: list[Operand] = []
        while True:
            self._stream.peek_solid()
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            token = self._stream.take()
            if token.mark is Mark.SPACE:
                continue
            if token.mark in (Mark.CLOSE, Mark.RIGHT_PAREN):
                self._stream.put_back(token)
            elif token.mark is not Mark.PIPE:
                raise unexpected(token, "between operands")
            return Command(tuple(operands), position)

    def _operand(self) -> Operand | None:
        """A term with the fields that follow it; None if the next token starts no term."""
        term = self._term()
        if term is None or self._stream.peek().mark is not Mark.FIELD:
            return term
        position = self._stream.peek().position
        names: list[str] = []
        while self._stream.peek().mark is Mark.FIELD:
            names.append(self._stream.take().text[1:])
        match term:
            case Field():
                return Field((*term.names, *names), term.position)
            case Variable():
                return Variable(term.name, (*term.names, *names), term.position)
            case Call() | Chain() | Pipe():
                return Chain(term, tuple(names), position)
            case Dot() | Nil() | Literal() | Overflow():
                raise Refused("a constant has no fields", position=position)
            case _:
                assert_never(term)

    def _term(self) -> Operand | None:
        token = self._stream.take_solid()
        position = token.position
        match token.mark:
            case Mark.IDENTIFIER:
                return _call(token)
            case Mark.DOT:
                return Dot(position)
            case Mark.NIL:
                return Nil(position)
            case Mark.VARIABLE:
                if token.text not in self.variables:
                    raise Refused(f"the variable {word(token.text)} is not declared", position=position)
                return Variable(token.text, (), position)
            case Mark.FIELD:
                return Field((token.text[1:],), position)
            case Mark.LEFT_PAREN:
                self._meter.enter()
                pipe = self.pipeline("parentheses", end=Mark.RIGHT_PAREN)
                self._meter.leave()
                return pipe
            case Mark.BOOL | Mark.CHARACTER | Mark.NUMBER | Mark.COMPLEX | Mark.STRING | Mark.RAW:
                self._meter.step(token.text.count("\\"))
                return constant(token)
            case _:
                self._stream.put_back(token)
                return None


def constant(token: Token) -> Literal | Overflow:
    """The node of a literal.

    Raises:
        Refused: it is malformed, at the token's position.
    """
    try:
        match token.mark:
            case Mark.BOOL:
                return Literal(token.text == "true", token.position)
            case Mark.STRING | Mark.RAW:
                return Literal(string_of(token.text), token.position)
            case Mark.CHARACTER:
                return Literal(character_of(token.text), token.position)
            case Mark.COMPLEX:
                raise complex_refused(token.text)
            case _:
                number = number_of(token.text)
    except Refused as fault:
        raise Refused(fault.check, position=token.position) from fault
    return Overflow(token.text, token.position) if isinstance(number, TooLarge) else Literal(number, token.position)


_STARTS_COMMAND = (
    Mark.FIELD,
    Mark.IDENTIFIER,
    Mark.VARIABLE,
    Mark.STRING,
    Mark.DOT,
    Mark.NUMBER,
    Mark.LEFT_PAREN,
    Mark.BOOL,
    Mark.RAW,
    Mark.CHARACTER,
    Mark.NIL,
    Mark.COMPLEX,
)


def _call(token: Token) -> Call:
    if token.text in FUNCTIONS:
        return Call(token.text, token.position)
    if token.text == "call":
        check = "`call` is not part of agent-sync's templates: data holds no functions"
    else:
        check = f"there is no function {word(token.text)}"
    remedy = (
        f"if it is a variable, write .{token.text} with a dot; if the braces are not meant for agent-sync, leave the"
        ' file out with an `exclude:` glob in the transform, or write {{"{{"}} for two braces'
    )
    raise Refused(check, position=token.position, remedy=remedy if token.text != "call" else None)


def _refuse_odd(commands: list[Command], where: str, position: int) -> None:
    """Nothing, if there is a command, and no later one is a constant, which could take no input."""
    if not commands:
        raise Refused(f"a value is missing in {where}", position=position)
    for command in commands[1:]:
        if isinstance(command.operands[0], CONSTANTS):
            raise Refused("after | comes a function, not a constant", position=command.position)
