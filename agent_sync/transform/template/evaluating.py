"""Evaluates pipelines: what stands inside `{{ }}`, given the value at hand, the variables, and what was piped in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import islice
from typing import assert_never

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.faults import Missing, Refused, word
from agent_sync.transform.template.functions import FUNCTIONS, LOGIC
from agent_sync.transform.template.nodes import (
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
from agent_sync.transform.template.values import Value, is_true, kind_of
from agent_sync.transform.template.variables import Variables


class _Piped(Enum):
    NOTHING = "the first command of a pipeline is fed nothing, not even null"


class Evaluation:
    """What a running template evaluates with; `position` is where it is, for errors."""

    __slots__ = ("meter", "position", "variables")

    def __init__(self, root: Value, meter: Meter) -> None:
        self.meter = meter
        self.position = 0
        self.variables = Variables(root)

    def pipeline(self, pipe: Pipe, dot: Value) -> Value:
        """The result of the last command; variables that the pipeline declares have it from here on.

        Raises:
            Refused: a command cannot be done; `position` says where.
        """
        self.position = pipe.position
        value: Value | _Piped = _Piped.NOTHING
        for command in pipe.commands:
            value = self._command(command, dot, value)
        assert not isinstance(value, _Piped)  # the parser refuses a pipeline without commands
        for name in pipe.declares:
            if pipe.assigns:
                self.variables.assign(name, value)
            else:
                self.variables.declare(name, value)
        return value

    def _command(self, command: Command, dot: Value, piped: Value | _Piped) -> Value:
        self.meter.step()
        first, *rest = command.operands
        if isinstance(first, Call):
            return self._call(first, rest, dot, piped)
        self.position = first.position
        if rest or piped is not _Piped.NOTHING:
            raise Refused("only a function takes arguments, and this is a value")
        if isinstance(first, Nil):
            raise Refused("nil is an argument, not a command")
        return self._operand(first, dot)

    def _call(self, call: Call, operands: list[Operand], dot: Value, piped: Value | _Piped) -> Value:
        """The result of a function. What was piped in is its last argument."""
        self.position = call.position
        function = FUNCTIONS[call.name]
        function.check_count(call.name, len(operands) + (piped is not _Piped.NOTHING))
        if call.name in LOGIC:
            return self._logic(operands, dot, piped, stops_at=LOGIC[call.name])
        arguments = [self._operand(operand, dot) for operand in operands]
        if not isinstance(piped, _Piped):
            arguments.append(piped)
        self.position = call.position
        return function.call(arguments, self.meter)

    def _logic(self, operands: list[Operand], dot: Value, piped: Value | _Piped, *, stops_at: bool) -> Value:
        """`and`, `or`: the first argument with that truth, else the last one. Those after it are not evaluated."""
        value: Value = None
        for operand in operands:
            value = self._operand(operand, dot)
            if is_true(value) is stops_at:
                return value
        return value if isinstance(piped, _Piped) else piped

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self.position = operand.position
        match operand:
            case Field():
                return self._entry(dot, operand.names)
            case Literal():
                return operand.value
            case Variable():
                return self._entry(self.variables.get(operand.name), operand.names)
            case Dot():
                return dot
            case Call():
                return self._call(operand, [], dot, _Piped.NOTHING)
            case Pipe():
                self.meter.enter()
                value = self.pipeline(operand, dot)
                self.meter.leave()
                return value
            case Chain():
                value = self._operand(operand.operand, dot)
                self.position = operand.position
                return self._entry(value, operand.names)
            case Nil():
                return None
            case Overflow():
                raise Refused(f"the integer {word(operand.text)} does not fit into 64 bits")
            case _:
                assert_never(operand)

    def _entry(self, value: Value, names: tuple[str, ...]) -> Value:
        """The entry of nested maps that `names` leads to.

        Raises:
            Missing: a map does not have the key, or holds nothing where a map is due.
        """
        for name in names:
            if value is None:
                raise Missing(f"there is no {word(name)}: what should hold it is null")
            if not isinstance(value, Mapping):
                raise Refused(f"a value of type {kind_of(value).value} has no entry {word(name)}")
            if name not in value:
                raise Missing(_no_entry(value, name))
            value = value[name]
        return value


_MOST_KEYS_COMPARED = 200


def _no_entry(mapping: Mapping[str, Value], name: str) -> str:
    """The message for a key that is not there; it names one that is spelt almost so."""
    from agent_sync.documents import closest  # here, because only an error needs it

    near = closest(name, islice(mapping, _MOST_KEYS_COMPARED))
    hint = f"; did you mean {word(near)}?" if near is not None else ""
    return f"there is no variable {word(name)}{hint}"
