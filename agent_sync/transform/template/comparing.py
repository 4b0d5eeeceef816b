"""Go's comparisons: equal kinds only, except that an int and a byte are both whole numbers, and null equals null."""

from __future__ import annotations

from agent_sync.transform.template.faults import Refused
from agent_sync.transform.template.strings import is_less
from agent_sync.transform.template.values import Kind, Value, kind_of

_WHOLE = (Kind.INT, Kind.BYTE)
_COMPOUND = (Kind.NIL, Kind.LIST, Kind.MAP)


def equals_any(first: Value, others: list[Value]) -> bool:
    """Whether `first` equals one of the others, asked in their order.

    Raises:
        Refused: there are none, or one that is asked is of another kind.
    """
    if not others:
        raise Refused("eq has nothing to compare with")
    return any(equals(first, other) for other in others)


def equals(first: Value, second: Value) -> bool:
    """Whether both are the same simple value, or both null.

    Raises:
        Refused: they are of different kinds, or lists or maps.
    """
    kind, other = kind_of(first), kind_of(second)
    if Kind.NIL in (kind, other):
        return kind is other
    if kind is not other and not (kind in _WHOLE and other in _WHOLE):
        raise Refused(f"{kind.value} and {other.value} cannot be compared")
    if kind in _COMPOUND:
        raise Refused(f"values of type {kind.value} cannot be compared")
    return first == second


def less(first: Value, second: Value) -> bool:
    """Whether `first` sorts before `second`; strings sort by bytes.

    Raises:
        Refused: they are of different kinds, or of one that has no order.
    """
    kind, other = kind_of(first), kind_of(second)
    for candidate in (kind, other):
        if candidate in _COMPOUND or candidate is Kind.BOOL:
            raise Refused(f"values of type {candidate.value} have no order")
    if isinstance(first, str) and isinstance(second, str):
        return is_less(first, second)
    alike = kind is other or (kind in _WHOLE and other in _WHOLE)
    if alike and isinstance(first, int | float) and isinstance(second, int | float):
        return first < second
    raise Refused(f"{kind.value} and {other.value} cannot be compared")


def less_or_equal(first: Value, second: Value) -> bool:
    """`first < second or first == second`, which is false for a number that is not one."""
    return less(first, second) or equals(first, second)
