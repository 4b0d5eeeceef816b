"""Runs a parsed template over data: text is copied, actions are printed, branches and ranges followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import assert_never

from agent_sync.transform.template.budget import Budget, Meter, OverBudget
from agent_sync.transform.template.evaluating import Evaluation
from agent_sync.transform.template.faults import Refused, as_error, as_limit_error, word
from agent_sync.transform.template.nodes import (
    MAIN,
    Action,
    Body,
    Branch,
    Break,
    Continue,
    Invoke,
    Range,
    Template,
    Text,
)
from agent_sync.transform.template.printing import printed
from agent_sync.transform.template.strings import is_whole, joined
from agent_sync.transform.template.values import Byte, Kind, Value, is_true, kind_of, sorted_items
from agent_sync.transform.template.variables import Variables


def execute(template: Template, *, data: Mapping[str, Value], budget: Budget | None = None) -> str:
    """The text that `template` makes of `data`: a function of these two alone.

    Raises:
        MissingVariable: a key is used that the data does not have.
        TransformFailed: anything else that Go's text/template would refuse, or a result that is not Unicode.
        LimitExceeded: it costs more than `budget` allows.
    """
    run = _Execution(template, data, Meter(budget or Budget()))
    file, text = template.file, template.text
    try:
        return run.output()
    except Refused as fault:
        raise as_error(fault, file=file, text=text, position=run.position) from fault
    except OverBudget as fault:
        raise as_limit_error(str(fault), file=file, text=text, position=run.position) from fault
    except RecursionError as fault:  # a budget deeper than the stack that is left
        raise as_limit_error("the template nests too deeply", file=file, text=text, position=run.position) from fault


class _Leap(Enum):
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
            raise Refused("this makes bytes that are not UTF-8: a character was cut", position=self._broken_at)
        return text

    def _walk(self, body: Body, dot: Value) -> _Leap | None:
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
                    return _Leap.BREAK
                case Continue():
                    return _Leap.CONTINUE
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
        text = printed(value, self._meter)
        if self._broken_at is None and not is_whole(text):
            self._broken_at = node.pipe.position
        self._output.append(text)

    def _branch(self, node: Branch, dot: Value) -> _Leap | None:
        """The first clause that holds, or the `else`; the variables of all clauses tried so far are in sight there."""
        variables = self._evaluation.variables
        mark = variables.mark()
        self._meter.enter()
        leap = self._chosen(node, dot)
        self._meter.leave()
        variables.forget(mark)
        return leap

    def _chosen(self, node: Branch, dot: Value) -> _Leap | None:
        for clause in node.clauses:
            value = self._evaluation.pipeline(clause.pipe, dot)
            if is_true(value):
                return self._walk(clause.body, value if node.sets_dot else dot)
        return self._walk(node.otherwise, dot)

    def _range(self, node: Range, dot: Value) -> _Leap | None:
        """The body for each element. As in Go, a `break` in the `else` ends only this range, a `continue` the next."""
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
            if leap is _Leap.BREAK:
                break
        leap = None if ran else self._walk(node.otherwise, dot)
        self._meter.leave()
        variables.forget(mark)
        return None if leap is _Leap.BREAK else leap

    def _elements(self, value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
        """Keys and elements of what a range goes through."""
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
                raise Refused("a range over an integer has one variable")
            return ((None, Byte(number) if kind is Kind.BYTE else number) for number in range(value))
        raise Refused(f"a range cannot go through a value of type {kind.value}")

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
        """Another body, which sees no variable of this one but `$`, its own value at hand."""
        evaluation = self._evaluation
        evaluation.position = node.position
        body = self._bodies.get(node.name)
        if body is None:
            raise Refused(f"there is no template {word(node.name)} in this file")
        value = None if node.pipe is None else evaluation.pipeline(node.pipe, dot)
        evaluation.position = node.position
        self._meter.enter()
        outer = evaluation.variables
        evaluation.variables = Variables(value)
        self._walk(body, value)  # a break cannot leave it: the parser wants the range in the same body
        evaluation.variables = outer
        self._meter.leave()
