"""Run a parsed template over data: copy text, evaluate and print actions, follow branches and ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import assert_never

from agent_sync.transform.template.budget import Budget, Meter, OverBudget
from agent_sync.transform.template.errors import MissingKey, TemplateError, as_error, as_limit_error, quoted_token
from agent_sync.transform.template.functions import FUNCTIONS, LOGIC
from agent_sync.transform.template.nodes import (
    MAIN,
    Action,
    Body,
    Branch,
    Break,
    Call,
    Chain,
    Command,
    Continue,
    Dot,
    Field,
    Invoke,
    Literal,
    Nil,
    Operand,
    Overflow,
    Pipe,
    Range,
    Template,
    Text,
    Variable,
)
from agent_sync.transform.template.printf import print_action
from agent_sync.transform.template.values import (
    Byte,
    Kind,
    Value,
    Variables,
    is_true,
    is_whole,
    joined,
    kind_of,
    sorted_items,
)

# -- Pipelines: evaluate what is inside `{{ }}`, given dot, the variables, and what was piped in.


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
        """Return the result of the last command; variables that the pipeline declares have it from here on.

        Raises:
            TemplateError: a command cannot be done; `position` says where.
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
            raise TemplateError("only a function takes arguments, and this is a value")
        if isinstance(first, Nil):
            raise TemplateError("nil is an argument, not a command")
        return self._operand(first, dot)

    def _call(self, call: Call, operands: list[Operand], dot: Value, piped: Value | _Piped) -> Value:
        """Return the result of a function. What was piped in is its last argument."""
        self.position = call.position
        function = FUNCTIONS[call.name]
        function.check_count(call.name, len(operands) + (piped is not _Piped.NOTHING))
        # Here and not in the table of functions, because arguments after the decisive one are not evaluated.
        if call.name in LOGIC:
            return self._logic(operands, dot, piped, stops_at=LOGIC[call.name])
        arguments = [self._operand(operand, dot) for operand in operands]
        if not isinstance(piped, _Piped):
            arguments.append(piped)
        self.position = call.position
        return function.call(arguments, self.meter)

    def _logic(self, operands: list[Operand], dot: Value, piped: Value | _Piped, *, stops_at: bool) -> Value:
        """Return the first argument with that truth, else the last; those after it are not evaluated (`and`, `or`)."""
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
                raise TemplateError(f"the integer {quoted_token(operand.text)} does not fit into 64 bits")
            case _:
                assert_never(operand)

    def _entry(self, value: Value, names: tuple[str, ...]) -> Value:
        """Return the entry of nested maps that `names` leads to.

        Raises:
            MissingKey: a map does not have the key, or holds nothing where a map is due.
        """
        for name in names:
            if value is None:
                raise MissingKey(f"the key {quoted_token(name)} cannot be read: its map is null")
            if not isinstance(value, Mapping):
                raise TemplateError(f"a value of type {kind_of(value).value} has no entry {quoted_token(name)}")
            # A missing key is an error and not Go's `<no value>`: a typo would end up in a rule that an agent reads.
            if name not in value:
                raise MissingKey(_no_entry(value, name))
            value = value[name]
        return value


_MOST_KEYS_COMPARED = 200


def _no_entry(mapping: Mapping[str, Value], name: str) -> str:
    """Return the message for a key that is missing; it names one that is spelled almost so."""
    from agent_sync_oci.text import closest  # here, because only an error needs it

    near = closest(name, islice(mapping, _MOST_KEYS_COMPARED))
    hint = f"; did you mean {quoted_token(near)}?" if near is not None else ""
    return f"the variable {quoted_token(name)} is not defined{hint}"


# -- Execution: copy text, print actions, follow branches and ranges.


def execute(template: Template, *, data: Mapping[str, Value], budget: Budget | None = None) -> str:
    """Return the text that `template` makes of `data`: a function of these two alone.

    Raises:
        MissingVariable: a key is used that the data does not have.
        TransformFailed: anything else that Go's text/template would refuse, or a result that is not Unicode.
        LimitExceeded: it costs more than `budget` allows.
    """
    run = _Execution(template, data, Meter(budget or Budget()))
    file, text = template.file, template.text
    try:
        return run.output()
    except TemplateError as error:
        raise as_error(error, file=file, text=text, position=run.position) from error
    except OverBudget as error:
        raise as_limit_error(str(error), file=file, text=text, position=run.position) from error
    except RecursionError as error:  # a budget deeper than the stack that is left
        raise as_limit_error("the template nests too deeply", file=file, text=text, position=run.position) from error


class _LoopExit(Enum):
    """A body ended early."""

    BREAK = "break"
    CONTINUE = "continue"


class _Execution:
    __slots__ = ("_bodies", "_broken_at", "_data", "_evaluation", "_meter", "_output")

    def __init__(self, template: Template, data: Mapping[str, Value], meter: Meter) -> None:
        self._bodies = template.bodies
        self._data = data
        self._meter = meter
        self._evaluation = Evaluation(data, meter)
        self._output: list[str] = []
        self._broken_at: int | None = None

    @property
    def position(self) -> int:
        return self._evaluation.position

    def output(self) -> str:
        self._walk(self._bodies[MAIN], self._data)
        text = joined(self._output)
        if self._broken_at is not None and not is_whole(text):
            raise TemplateError("the output is not UTF-8: a character was cut", position=self._broken_at)
        return text

    def _walk(self, body: Body, dot: Value) -> _LoopExit | None:
        for node in body:
            self._meter.step()
            match node:
                case Text():
                    self._meter.made_bytes(node.size_bytes)
                    self._output.append(node.text)
                    continue
                case Action():
                    self._action(node, dot)
                    continue
                case Branch():
                    leap = self._branch(node, dot)
                case Range():
                    leap = self._range(node, dot)
                case Invoke():
                    self._invoke(node, dot)
                    continue
                case Break():
                    return _LoopExit.BREAK
                case Continue():
                    return _LoopExit.CONTINUE
                case _:
                    assert_never(node)
            if leap is not None:
                return leap
        return None

    def _action(self, node: Action, dot: Value) -> None:
        value = self._evaluation.pipeline(node.pipe, dot)
        if node.pipe.declares:
            return
        self._evaluation.position = node.pipe.position
        text = print_action(value, self._meter)
        # Half a character may be completed by the next action, so only the whole output decides.
        if self._broken_at is None and not is_whole(text):
            self._broken_at = node.pipe.position
        self._output.append(text)

    def _branch(self, node: Branch, dot: Value) -> _LoopExit | None:
        """Walk the first clause that holds, or the `else`, where variables of all clauses tried so far are in scope."""
        # Variables of one clause's condition are in scope in the next ones, as in Go.
        variables = self._evaluation.variables
        mark = variables.mark()
        self._meter.enter()
        leap = self._chosen(node, dot)
        self._meter.leave()
        variables.forget(mark)
        return leap

    def _chosen(self, node: Branch, dot: Value) -> _LoopExit | None:
        for clause in node.clauses:
            value = self._evaluation.pipeline(clause.pipe, dot)
            if is_true(value):
                return self._walk(clause.body, value if node.sets_dot else dot)
        return self._walk(node.otherwise, dot)

    def _range(self, node: Range, dot: Value) -> _LoopExit | None:
        """Walk the body for each element. As in Go, `break` in the `else` ends this range only, `continue` the next."""
        variables = self._evaluation.variables
        mark = variables.mark()
        value = self._evaluation.pipeline(node.pipe, dot)
        inner = variables.mark()
        self._meter.enter()
        ran = False
        for key, element in self._elements(value, len(node.pipe.declares)):
            ran = True
            self._meter.step()
            self._set_range_variables(node, key, element)
            leap = self._walk(node.body, element)
            variables.forget(inner)
            if leap is _LoopExit.BREAK:
                break
        leap = None if ran else self._walk(node.otherwise, dot)
        self._meter.leave()
        variables.forget(mark)
        return None if leap is _LoopExit.BREAK else leap

    def _elements(self, value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
        """Return keys and elements of what a range goes through."""
        kind = kind_of(value)
        if isinstance(value, Mapping):
            self._meter.step(len(value))
            return sorted_items(value)
        if kind is Kind.LIST and isinstance(value, Sequence):
            return enumerate(value)
        if kind is Kind.NIL:
            return ()
        if kind in (Kind.INT, Kind.BYTE) and isinstance(value, int):
            if variables > 1:
                raise TemplateError("a range over an integer has one variable")
            return ((None, Byte(number) if kind is Kind.BYTE else number) for number in range(value))
        raise TemplateError(f"a range cannot go through a value of type {kind.value}")

    def _set_range_variables(self, node: Range, key: Value, element: Value) -> None:
        names = node.pipe.declares
        if not names:
            return
        variables = self._evaluation.variables
        values = (element,) if len(names) == 1 else (key, element)
        for offset, (name, value) in enumerate(zip(names, values, strict=True)):
            if node.pipe.assigns:
                variables.assign(name, value)
            else:
                variables.assign_from_top(len(names) - offset, value)

    def _invoke(self, node: Invoke, dot: Value) -> None:
        """Walk another body, which sees no variable of this one but `$`, its own value."""
        evaluation = self._evaluation
        evaluation.position = node.position
        body = self._bodies.get(node.name)
        if body is None:
            raise TemplateError(f"the template {quoted_token(node.name)} is not defined in this file")
        value = None if node.pipe is None else evaluation.pipeline(node.pipe, dot)
        evaluation.position = node.position
        self._meter.enter()
        outer = evaluation.variables
        evaluation.variables = Variables(value)
        self._walk(body, value)  # a break cannot leave it: the parser wants the range in the same body
        evaluation.variables = outer
        self._meter.leave()
