"""The values a template works on: their kinds, their strings by bytes, and the variables in scope.

Data is what YAML and JSON can say, and two types that the language makes itself. A string is a Python `str`: a byte
that is not UTF-8 (from an escape, or a string sliced inside a character) is one lone surrogate, U+DC80 to U+DCFF, as
Python's `surrogateescape` has it. Length, slicing and comparison use the bytes only where a string is not ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from agent_sync.transform.template.errors import TemplateError

# -- Strings by bytes.


def to_bytes(text: str) -> bytes:
    """Return the bytes that Go would hold for `text`.

    Raises:
        TemplateError: the text has a lone surrogate that stands for no byte.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise TemplateError("a text has a lone surrogate, which no encoding can hold") from error


def from_bytes(data: bytes) -> str:
    """Return `data` as text, a byte outside UTF-8 as one surrogate."""
    return data.decode("utf-8", "surrogateescape")


def joined(parts: list[str]) -> str:
    """Return the parts as one text; two halves of a character that meet become that character again."""
    text = "".join(parts)
    return text if is_whole(text) else from_bytes(to_bytes(text))


def is_whole(text: str) -> bool:
    """Tell whether every character of `text` is a real one, so that it can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def size_bytes(text: str) -> int:
    """Return how many bytes `text` has."""
    return len(text) if text.isascii() else len(to_bytes(text))


def cut(text: str, start: int, stop: int) -> str:
    """Return the bytes from `start` to `stop`, as text."""
    return text[start:stop] if text.isascii() else from_bytes(to_bytes(text)[start:stop])


def is_less(first: str, second: str) -> bool:
    """Tell whether `first` sorts before `second` by bytes."""
    if first.isascii() and second.isascii():
        return first < second
    return to_bytes(first) < to_bytes(second)


# -- Values and their kinds. `Kind` is the type that the same value would have in Go, where data is `interface {}`.

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


class SliceView(Sequence[Value]):
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

    def narrowed(self, start: int, stop: int, capacity: int) -> SliceView:
        """Return the view from `start` to `stop` with room up to `capacity`, all counted from this view's start."""
        return SliceView(self._items, self._start + start, self._start + stop, capacity - start)


def kind_of(value: object) -> Kind:
    """Return what `value` is.

    Raises:
        TemplateError: it is nothing a template can work on, such as a date.
    """
    kind = _KINDS.get(type(value))
    return kind if kind is not None else _kind_of_relative(value)


def is_true(value: Value) -> bool:
    """Tell whether `if` takes the branch: not empty, not zero, not nil."""
    kind_of(value)
    return bool(value)


def sorted_items(mapping: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Return the entries in the order of their keys.

    Raises:
        TemplateError: a key is not text.
    """
    for key in mapping:
        if not isinstance(key, str):
            raise TemplateError(f"a map has a key of type {type(key).__name__}; keys must be text")
    return sorted(mapping.items(), key=_key)


def _key(item: tuple[str, Value]) -> str:
    return item[0]


def _kind_of_relative(value: object) -> Kind:
    """Return the kind of a value whose class derives from a known one."""
    for base, kind in _BASES:
        if isinstance(value, base) and not isinstance(value, bytes | bytearray):
            return kind
    raise TemplateError(f"a value of type {type(value).__name__} cannot be used in a template")


# By exact type first; the loop over base classes is for values of other libraries.
_KINDS: dict[type, Kind] = {
    str: Kind.STRING,
    int: Kind.INT,
    Byte: Kind.BYTE,
    float: Kind.FLOAT,
    bool: Kind.BOOL,
    type(None): Kind.NIL,
    list: Kind.LIST,
    tuple: Kind.LIST,
    SliceView: Kind.LIST,
    dict: Kind.MAP,
}

_BASES: tuple[tuple[type, Kind], ...] = (
    (str, Kind.STRING),
    (int, Kind.INT),
    (float, Kind.FLOAT),
    (Mapping, Kind.MAP),
    (Sequence, Kind.LIST),
)


# -- Variables. They are found by name when they are used, as in Go: a declaration inside an argument that `or` never
# evaluates does not exist.


class Variables:
    """A stack of named values; it starts with `$`."""

    __slots__ = ("_names", "_places", "_values")

    def __init__(self, root: Value) -> None:
        self._names = ["$"]
        self._values = [root]
        self._places: dict[str, list[int]] = {"$": [0]}

    def __contains__(self, name: str) -> bool:
        return bool(self._places.get(name))

    def declare(self, name: str, value: Value) -> None:
        """Put a new variable on top; it hides an older one of its name."""
        self._places.setdefault(name, []).append(len(self._names))
        self._names.append(name)
        self._values.append(value)

    def get(self, name: str) -> Value:
        """Return the value of the innermost variable called `name`."""
        return self._values[self._place(name)]

    def assign(self, name: str, value: Value) -> None:
        """Give the innermost variable called `name` another value."""
        self._values[self._place(name)] = value

    def assign_from_top(self, count: int, value: Value) -> None:
        """Give the `count`-th variable from the top (1: the last one declared) another value."""
        self._values[-count] = value

    def mark(self) -> int:
        """Return a mark to forget back to."""
        return len(self._names)

    def forget(self, mark: int) -> None:
        """Drop everything declared since `mark`."""
        while len(self._names) > mark:
            self._places[self._names.pop()].pop()
            self._values.pop()

    def _place(self, name: str) -> int:
        places = self._places.get(name)
        if not places:
            raise TemplateError(f"the variable {name} has no value here: what declares it did not run")
        return places[-1]
