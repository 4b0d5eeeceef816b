"""The values a template works on: what YAML and JSON can say, and the two that the language makes itself.

`Kind` is Go's name of the type that the same value would have in Go, where data arrives as `interface {}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from agent_sync.transform.template.faults import Refused

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value] | None"
"""What a variable may hold: text, numbers, booleans, nothing, lists, and maps with text as keys."""


class Kind(Enum):
    """What a value is; the text is Go's name of the type, as `%T` prints it."""

    NIL = "<nil>"
    BOOL = "bool"
    INT = "int"
    BYTE = "uint8"
    FLOAT = "float64"
    STRING = "string"
    LIST = "[]interface {}"
    MAP = "map[string]interface {}"


class Byte(int):
    """One byte of a string, as `index` takes it out."""

    __slots__ = ()


class Window(Sequence[Value]):
    """A part of a list without a copy. Like Go's, it can be widened again: to `capacity` elements from its start."""

    __slots__ = ("_items", "_start", "_stop", "capacity")

    def __init__(self, items: Sequence[Value], start: int, stop: int, capacity: int) -> None:
        self._items = items
        self._start = start
        self._stop = stop
        self.capacity = capacity

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, index: int) -> Value:  # type: ignore[override]  # only `index` and iteration reach it
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[self._start + index]

    def narrowed(self, start: int, stop: int, capacity: int) -> Window:
        """The window from `start` to `stop` with room up to `capacity`, all counted from this window's start."""
        return Window(self._items, self._start + start, self._start + stop, capacity - start)


def kind_of(value: object) -> Kind:
    """What `value` is.

    Raises:
        Refused: it is nothing a template can work on, such as a date.
    """
    kind = _KINDS.get(type(value))
    return kind if kind is not None else _kind_of_relative(value)


def is_true(value: Value) -> bool:
    """Whether `if` takes the branch: not empty, not zero, not null."""
    kind_of(value)
    return bool(value)


def sorted_items(mapping: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """The entries in the order of their keys.

    Raises:
        Refused: a key is not text.
    """
    for key in mapping:
        if not isinstance(key, str):
            raise Refused(f"a map has a key of type {type(key).__name__}; keys must be text")
    return sorted(mapping.items(), key=_key)


def _key(item: tuple[str, Value]) -> str:
    return item[0]


def _kind_of_relative(value: object) -> Kind:
    """The kind of a value whose class derives from a known one."""
    for base, kind in _BASES:
        if isinstance(value, base) and not isinstance(value, bytes | bytearray):
            return kind
    raise Refused(f"a value of type {type(value).__name__} cannot be used in a template")


_KINDS: dict[type, Kind] = {
    str: Kind.STRING,
    int: Kind.INT,
    Byte: Kind.BYTE,
    float: Kind.FLOAT,
    bool: Kind.BOOL,
    type(None): Kind.NIL,
    list: Kind.LIST,
    tuple: Kind.LIST,
    Window: Kind.LIST,
    dict: Kind.MAP,
}

_BASES: tuple[tuple[type, Kind], ...] = (
    (str, Kind.STRING),
    (int, Kind.INT),
    (float, Kind.FLOAT),
    (Mapping, Kind.MAP),
    (Sequence, Kind.LIST),
)
