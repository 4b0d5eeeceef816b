"""The functions of the language: those that Go's text/template has built in, and no others.

None of them reaches anything outside its arguments: no file, network, environment or process (spec §6.1). `and` and
`or` are not called like the others because they do not evaluate all of their arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent_sync.transform.template.budget import Meter, in_pieces
from agent_sync.transform.template.errors import TemplateError
from agent_sync.transform.template.format import is_printable
from agent_sync.transform.template.printf import sprint, sprintf, sprintln
from agent_sync.transform.template.values import (
    Byte,
    Kind,
    SliceView,
    Value,
    cut,
    is_less,
    is_true,
    kind_of,
    size_bytes,
    to_bytes,
)

# -- Comparisons: equal kinds only, except that an int and a byte are both whole numbers, and nil equals nil.

_WHOLE = (Kind.INT, Kind.BYTE)
_COMPOUND = (Kind.NIL, Kind.LIST, Kind.MAP)


def equals_any(first: Value, others: list[Value]) -> bool:
    """Tell whether `first` equals one of the others, compared in their order.

    Raises:
        TemplateError: there are none, or one that is compared is of another kind.
    """
    if not others:
        raise TemplateError("eq has nothing to compare with")
    return any(equals(first, other) for other in others)


def equals(first: Value, second: Value) -> bool:
    """Tell whether both are the same simple value, or both null.

    Raises:
        TemplateError: they are of different kinds, or lists or maps.
    """
    kind, other = kind_of(first), kind_of(second)
    # Go compares an untyped nil with anything; two values of other different kinds are an error.
    if Kind.NIL in (kind, other):
        return kind is other
    if kind is not other and not (kind in _WHOLE and other in _WHOLE):
        raise TemplateError(f"{kind.value} and {other.value} cannot be compared")
    if kind in _COMPOUND:
        raise TemplateError(f"values of type {kind.value} cannot be compared")
    return first == second


def less(first: Value, second: Value) -> bool:
    """Tell whether `first` sorts before `second`; strings sort by bytes.

    Raises:
        TemplateError: they are of different kinds, or of one that has no order.
    """
    kind, other = kind_of(first), kind_of(second)
    for candidate in (kind, other):
        if candidate in _COMPOUND or candidate is Kind.BOOL:
            raise TemplateError(f"values of type {candidate.value} have no order")
    if isinstance(first, str) and isinstance(second, str):
        return is_less(first, second)
    alike = kind is other or (kind in _WHOLE and other in _WHOLE)
    if alike and isinstance(first, int | float) and isinstance(second, int | float):
        return first < second
    raise TemplateError(f"{kind.value} and {other.value} cannot be compared")


def less_or_equal(first: Value, second: Value) -> bool:
    """Tell whether `first < second or first == second`, which is false for NaN."""
    return less(first, second) or equals(first, second)


# -- Escaping for HTML, JavaScript and URLs, byte for byte as Go's `html`, `js` and `urlquery` do it.

_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS_SPECIAL = re.compile(r"[\\'\"<>&=\x00-\x1f\x80-\U0010ffff]")
_JS_SIMPLE = {"\\": r"\\", "'": r"\'", '"': r"\""}
_URL_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_URL = [chr(byte) if byte in _URL_SAFE else "+" if byte == 0x20 else f"%{byte:02X}" for byte in range(256)]


def html(text: str, meter: Meter) -> str:
    """Escape `text` for HTML, between tags or in an attribute."""
    return in_pieces(text, lambda piece: piece.translate(_HTML), meter)


def js(text: str, meter: Meter) -> str:
    """Escape `text` for a JavaScript string."""
    return in_pieces(text, lambda piece: _JS_SPECIAL.sub(_js_escape, piece), meter)


def urlquery(text: str, meter: Meter) -> str:
    """Escape `text` for a value in a URL's query."""
    return in_pieces(text, lambda piece: "".join([_URL[byte] for byte in to_bytes(piece)]), meter)


def _js_escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in _JS_SIMPLE:
        return _JS_SIMPLE[character]
    code = ord(character)
    if code < 0x80 or not (is_printable(code) or 0xDC80 <= code <= 0xDCFF):  # the latter: a byte outside UTF-8, kept
        return f"\\u{code:04X}"
    return character


# -- The table of functions.


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes (`most` None: any number), and what it makes of them."""

    least: int
    most: int | None
    result: Callable[[list[Value], Meter], Value]

    def call(self, arguments: list[Value], meter: Meter) -> Value:
        """Return what the function makes of `arguments`, whose number was checked.

        Raises:
            TemplateError: they are of the wrong kind.
        """
        for argument in arguments:
            # A function may go through the whole string, so its length counts as work.
            if isinstance(argument, str):
                meter.read(argument)
        return self.result(arguments, meter)

    def check_count(self, name: str, count: int) -> None:
        """Raise TemplateError unless the function takes `count` arguments.

        Raises:
            TemplateError: they are not.
        """
        if count < self.least or (self.most is not None and count > self.most):
            wanted = str(self.least) if self.most == self.least else f"at least {self.least}"
            raise TemplateError(f"{name} takes {wanted} arguments, not {count}")


def index(arguments: list[Value], meter: Meter) -> Value:
    """Return the element of the first argument that the others lead to; nil for a key that a map does not have."""
    item, *keys = arguments
    if item is None:
        raise TemplateError("index of nothing")
    for key in keys:
        meter.step()
        item = _element(item, key)
    return item


def slice_(arguments: list[Value], meter: Meter) -> Value:
    """Return the part of a string (by bytes) or list from the second argument to the third, up to a capacity."""
    item, *bounds = arguments
    kind = kind_of(item)
    if len(bounds) > 3:
        raise TemplateError(f"slice takes at most 3 indexes, not {len(bounds)}")
    if isinstance(item, str):
        if len(bounds) == 3:
            raise TemplateError("a string cannot be sliced with 3 indexes")
        size = size_bytes(item)
        start, stop, _capacity = _bounds(bounds, size, size)
        part = cut(item, start, stop)
        meter.made(part)
        return part
    if isinstance(item, Sequence):
        # As in Go, a slice shares its elements and may be widened again up to its capacity.
        window = item if isinstance(item, SliceView) else SliceView(item, 0, len(item), len(item))
        return window.narrowed(*_bounds(bounds, len(window), window.capacity))
    raise TemplateError(f"a value of type {kind.value} cannot be sliced")


def length(arguments: list[Value], _meter: Meter) -> Value:
    """Return how many bytes a string has, or elements a list or map."""
    (item,) = arguments
    kind = kind_of(item)
    if isinstance(item, str):
        return size_bytes(item)
    if isinstance(item, Sequence | Mapping):
        return len(item)
    raise TemplateError(f"a value of type {kind.value} has no length")


def printf(arguments: list[Value], meter: Meter) -> Value:
    """Return the first argument, a format, with its verbs replaced by the others."""
    form, *values = arguments
    if not isinstance(form, str):
        raise TemplateError(f"the format of printf is of type {kind_of(form).value}, not a string")
    return sprintf(form, values, meter)


def _element(item: Value, key: Value) -> Value:
    kind = kind_of(item)
    if isinstance(item, str):
        return Byte(to_bytes(item)[_position(key, size_bytes(item) - 1)])
    if isinstance(item, Sequence):
        return item[_position(key, len(item) - 1)]
    if not isinstance(item, Mapping):
        raise TemplateError(f"a value of type {kind.value} cannot be indexed")
    if not isinstance(key, str):
        raise TemplateError(f"the key of a map is a string, not of type {kind_of(key).value}")
    return item.get(key)


def _position(index: Value, largest: int) -> int:
    """Return `index` as a position from 0 to `largest`."""
    if kind_of(index) not in (Kind.INT, Kind.BYTE) or not isinstance(index, int):
        raise TemplateError(f"an index is an integer, not of type {kind_of(index).value}")
    if not 0 <= index <= largest:
        raise TemplateError("the index is out of range")
    return int(index)


def _bounds(indexes: list[Value], size: int, capacity: int) -> tuple[int, int, int]:
    """Return start, stop and new capacity of a slice: in Go's words `item[start:stop:capacity]`."""
    bounds = [0, size, capacity]
    for place, given in enumerate(indexes):
        bounds[place] = _position(given, capacity)
    start, stop, end = bounds
    if start > stop or (len(indexes) == 3 and stop > end):
        raise TemplateError("the indexes of a slice must not descend")
    return start, stop, end


def _text_to_escape(arguments: list[Value], meter: Meter) -> str:
    """Return what the escaping functions escape: the printed arguments, nil as `<no value>`."""
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    return sprint(["<no value>" if value is None else value for value in arguments], meter)


def _unevaluated(_arguments: list[Value], _meter: Meter) -> Value:
    raise TemplateError("and / or are evaluated argument by argument")


LOGIC: Mapping[str, bool] = {"and": False, "or": True}
"""The functions that stop at the first argument with this truth."""

FUNCTIONS: Mapping[str, Function] = {
    # Only their number of arguments is checked by way of the table.
    "and": Function(1, None, _unevaluated),
    "or": Function(1, None, _unevaluated),
    "not": Function(1, 1, lambda arguments, _: not is_true(arguments[0])),
    "eq": Function(1, None, lambda arguments, _: equals_any(arguments[0], arguments[1:])),
    "ne": Function(2, 2, lambda arguments, _: not equals(arguments[0], arguments[1])),
    "lt": Function(2, 2, lambda arguments, _: less(arguments[0], arguments[1])),
    "le": Function(2, 2, lambda arguments, _: less_or_equal(arguments[0], arguments[1])),
    "gt": Function(2, 2, lambda arguments, _: not less_or_equal(arguments[0], arguments[1])),
    "ge": Function(2, 2, lambda arguments, _: not less(arguments[0], arguments[1])),
    "len": Function(1, 1, length),
    "index": Function(1, None, index),
    "slice": Function(1, None, slice_),
    "print": Function(0, None, sprint),
    "printf": Function(1, None, printf),
    "println": Function(0, None, sprintln),
    "html": Function(0, None, lambda arguments, meter: html(_text_to_escape(arguments, meter), meter)),
    "js": Function(0, None, lambda arguments, meter: js(_text_to_escape(arguments, meter), meter)),
    "urlquery": Function(0, None, lambda arguments, meter: urlquery(_text_to_escape(arguments, meter), meter)),
}
