"""The functions of the language: those that Go's text/template has built in, and no others.

None of them reaches anything outside its arguments: there is no file, network, environment or process here (spec §6.1).
`and` and `or` are absent from the calls because they do not evaluate all of their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.comparing import equals, equals_any, less, less_or_equal
from agent_sync.transform.template.escaping import html, js, urlquery
from agent_sync.transform.template.faults import Refused
from agent_sync.transform.template.printf import formatted
from agent_sync.transform.template.printing import printed_all, printed_line
from agent_sync.transform.template.strings import cut, size_bytes, to_bytes
from agent_sync.transform.template.values import Byte, Kind, Value, Window, is_true, kind_of


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes (`most` None: any number), and what it makes of them."""

    least: int
    most: int | None
    result: Callable[[list[Value], Meter], Value]

    def call(self, arguments: list[Value], meter: Meter) -> Value:
        """What the function makes of `arguments`, whose number was checked.

        Raises:
            Refused: they are of the wrong kind.
        """
        for argument in arguments:
            if isinstance(argument, str):
                meter.read(argument)
        return self.result(arguments, meter)

    def check_count(self, name: str, count: int) -> None:
        """Nothing, if `count` arguments are right.

        Raises:
            Refused: they are not.
        """
        if count < self.least or (self.most is not None and count > self.most):
            wanted = str(self.least) if self.most == self.least else f"at least {self.least}"
            raise Refused(f"{name} takes {wanted} arguments, not {count}")


def index(arguments: list[Value], meter: Meter) -> Value:
    """The element of the first argument that the others lead to; nothing for a key that a map does not have."""
    item, *keys = arguments
    if item is None:
        raise Refused("index of nothing")
    for key in keys:
        meter.step()
        item = _element(item, key)
    return item


def slice_(arguments: list[Value], meter: Meter) -> Value:
    """The part of a string (by bytes) or list from the second argument to the third, up to a capacity."""
    item, *bounds = arguments
    kind = kind_of(item)
    if len(bounds) > 3:
        raise Refused(f"slice takes at most 3 indexes, not {len(bounds)}")
    if isinstance(item, str):
        if len(bounds) == 3:
            raise Refused("a string cannot be sliced with 3 indexes")
        size = size_bytes(item)
        start, stop, _capacity = _bounds(bounds, size, size)
        part = cut(item, start, stop)
        meter.made(part)
        return part
    if isinstance(item, Sequence):
        window = item if isinstance(item, Window) else Window(item, 0, len(item), len(item))
        return window.narrowed(*_bounds(bounds, len(window), window.capacity))
    raise Refused(f"a value of type {kind.value} cannot be sliced")


def length(arguments: list[Value], _meter: Meter) -> Value:
    """How many bytes a string has, or elements a list or map."""
    (item,) = arguments
    kind = kind_of(item)
    if isinstance(item, str):
        return size_bytes(item)
    if isinstance(item, Sequence | Mapping):
        return len(item)
    raise Refused(f"a value of type {kind.value} has no length")


def printf(arguments: list[Value], meter: Meter) -> Value:
    """The first argument, a format, with its verbs replaced by the others."""
    form, *values = arguments
    if not isinstance(form, str):
        raise Refused(f"the format of printf is of type {kind_of(form).value}, not a string")
    return formatted(form, values, meter)


def _element(item: Value, key: Value) -> Value:
    kind = kind_of(item)
    if isinstance(item, str):
        return Byte(to_bytes(item)[_position(key, size_bytes(item) - 1)])
    if isinstance(item, Sequence):
        return item[_position(key, len(item) - 1)]
    if not isinstance(item, Mapping):
        raise Refused(f"a value of type {kind.value} cannot be indexed")
    if not isinstance(key, str):
        raise Refused(f"the key of a map is a string, not of type {kind_of(key).value}")
    return item.get(key)


def _position(index: Value, largest: int) -> int:
    """`index` as a position from 0 to `largest`."""
    if kind_of(index) not in (Kind.INT, Kind.BYTE) or not isinstance(index, int):
        raise Refused(f"an index is an integer, not of type {kind_of(index).value}")
    if not 0 <= index <= largest:
        raise Refused("the index is out of range")
    return int(index)


def _bounds(indexes: list[Value], size: int, capacity: int) -> tuple[int, int, int]:
    """Start, stop and new capacity of a slice: in Go's words `item[start:stop:capacity]`."""
    bounds = [0, size, capacity]
    for place, given in enumerate(indexes):
        bounds[place] = _position(given, capacity)
    start, stop, end = bounds
    if start > stop or (len(indexes) == 3 and stop > end):
        raise Refused("the indexes of a slice must not descend")
    return start, stop, end


def _shown(arguments: list[Value], meter: Meter) -> str:
    """What the escaping functions escape: the printed arguments, nothing as `<no value>`."""
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    return printed_all(["<no value>" if value is None else value for value in arguments], meter)


def _unevaluated(_arguments: list[Value], _meter: Meter) -> Value:
    raise Refused("and / or are evaluated argument by argument")


LOGIC: Mapping[str, bool] = {"and": False, "or": True}
"""The functions that stop at the first argument with this truth."""

FUNCTIONS: Mapping[str, Function] = {
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
    "print": Function(0, None, printed_all),
    "printf": Function(1, None, printf),
    "println": Function(0, None, printed_line),
    "html": Function(0, None, lambda arguments, meter: html(_shown(arguments, meter), meter)),
    "js": Function(0, None, lambda arguments, meter: js(_shown(arguments, meter), meter)),
    "urlquery": Function(0, None, lambda arguments, meter: urlquery(_shown(arguments, meter), meter)),
}
