"""The parsed form of a template: immutable, so that one parse serves any number of renderings.

`position` is always an index into the file's text; an error finds its line there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

# -- What a pipeline is made of.


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`, the current value (dot)."""

    position: int


@dataclass(frozen=True, slots=True)
class Nil:
    """The word `nil`, which may be an argument but not a command."""

    position: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number or boolean in the template."""

    value: str | int | float | bool
    position: int


@dataclass(frozen=True, slots=True)
class Overflow:
    """An integer beyond 63 bits: harmless until it is used."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Field:
    """`.name.name`: entries of dot."""

    names: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name.name`: a variable, and entries of it."""

    name: str
    names: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """The name of a function; its arguments follow it in the command."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).name.name`: entries of a computed value."""

    operand: Operand
    names: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each fed the result of the one before, and the variables that take the last result."""

    declares: tuple[str, ...]
    assigns: bool
    commands: tuple[Command, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Command:
    """A value, or a function with its arguments."""

    operands: tuple[Operand, ...]
    position: int


Operand: TypeAlias = Dot | Nil | Literal | Overflow | Field | Variable | Call | Chain | Pipe
CONSTANTS = (Dot, Nil, Literal, Overflow)

# -- What a body is made of.


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of `{{ }}`."""

    text: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose result is printed, unless it declares a variable."""

    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of `if` or `with`, and what follows if it holds."""

    pipe: Pipe
    body: Body


@dataclass(frozen=True, slots=True)
class Branch:
    """`if` or `with`, all its `else if` or `else with` in order, and the final `else`."""

    sets_dot: bool
    clauses: tuple[Clause, ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Range:
    """`range`, and its `else` for nothing to go through."""

    pipe: Pipe
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Invoke:
    """`template` or `block`: another body, with a value as its dot (none given: nil)."""

    name: str
    pipe: Pipe | None
    position: int


@dataclass(frozen=True, slots=True)
class Break:
    """`break`: leave the innermost range."""


@dataclass(frozen=True, slots=True)
class Continue:
    """`continue`: go on with the next element of the innermost range."""


Node: TypeAlias = Text | Action | Branch | Range | Invoke | Break | Continue
Body: TypeAlias = tuple[Node, ...]

MAIN = ""
"""The name of the file's own body; `{{template ""}}` calls it again, as in Go."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed file: its own body under `MAIN`, and every `define` and `block` under its name."""

    file: str
    text: str
    bodies: Mapping[str, Body]
