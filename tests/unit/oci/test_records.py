"""A record behaves as a frozen dataclass with slots does."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from agent_sync_oci.records import record


@record
class Point:
    """A point, with a label that does not distinguish it."""

    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict, hash=False)
    label: str = field(default="", compare=False)
    secret: str = field(default="s", repr=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """The same, made by the standard library."""

    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict, hash=False)
    label: str = field(default="", compare=False)
    secret: str = field(default="s", repr=False)


@record
class Other:
    """Another record with the same fields as `Single`."""

    x: int


@record
class Single:
    """A record of one field."""

    x: int


@record(kw_only=True)
class Base:
    """A record whose fields are given by name."""

    late: str = "late"


@record(kw_only=True)
class Derived(Base):
    """A record that adds a required field to an optional one."""

    early: str


@record
class Empty:
    """A record without fields."""


@record(eq=False)
class Token:
    """A record that equals itself alone."""

    x: int


_CALLS: list[Callable[[Any], object]] = [
    lambda cls: cls(1).y,
    lambda cls: cls(1, 3, {"a": 1}).tags,
    lambda cls: cls(1, secret="t").secret,
    lambda cls: cls(1) == cls(1),
    lambda cls: cls(1) == cls(2),
    lambda cls: cls(1) == cls(1, label="l"),
    lambda cls: cls(1) == cls(1, tags={"a": 1}),
    lambda cls: hash(cls(1)) == hash(cls(1, tags={"a": 1}, label="l")),
    lambda cls: hash(cls(1)) == hash(cls(2)),
    lambda cls: repr(cls(1)).partition("(")[2],
    lambda cls: repr(replace(cls(1), x=4)).partition("(")[2],
    lambda cls: [each.name for each in fields(cls)],
    lambda cls: cls.__match_args__,
    lambda cls: copy.copy(cls(1, label="l")).label,
    lambda cls: copy.deepcopy(cls(1, tags={"a": 1})).tags,
    lambda cls: pickle.loads(pickle.dumps(cls(1, 5))).y,
    lambda cls: hasattr(cls(1), "__dict__"),
    lambda cls: cls.__init__.__annotations__,
]


@pytest.mark.parametrize("call", _CALLS)
def test_a_record_answers_as_a_frozen_dataclass_with_slots(call: Callable[[Any], object]) -> None:
    assert call(Point) == call(Reference)


@pytest.mark.parametrize("arguments", [(), (1, 2, {}, "", "", 6)])
def test_missing_and_superfluous_arguments_are_errors(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Point(*arguments)


def test_a_default_is_made_for_each_record() -> None:
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize("name", ["x", "label", "unknown"])
def test_nothing_can_be_assigned_or_deleted(name: str) -> None:
    point: Any = Point(1)
    with pytest.raises(FrozenInstanceError):
        setattr(point, name, 3)
    with pytest.raises(FrozenInstanceError):
        delattr(point, name)
    assert point == Point(1)


def test_records_of_different_classes_differ() -> None:
    other: Any = Other(1)
    assert Single(1) != other
    assert Single(1) in {Single(1), Other(1)}


def test_fields_may_be_given_by_name_alone() -> None:
    made = Derived(early="e")
    assert (made.early, made.late) == ("e", "late")
    assert copy.copy(made) == made
    with pytest.raises(TypeError):
        Derived("e")  # type: ignore[call-arg]


def test_a_record_may_equal_itself_alone() -> None:
    token, same = Token(1), Token(1)
    assert token == token  # the very point
    assert token != same
    assert len({token, same}) == 2


def _checking(_self: object) -> None:
    """Check the fields, as a dataclass would have it done."""


@pytest.mark.parametrize(
    "body",
    [
        {"__post_init__": _checking},
        {"__init__": _checking},
        {"__annotations__": {"x": "int"}, "x": field(init=False, default=1)},
    ],
)
def test_a_class_that_needs_more_than_its_fields_set_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="has to be a dataclass"):
        record(type("Checked", (), body))


def test_a_check_of_a_base_class_is_not_passed_over() -> None:
    base = type("Checked", (), {"__post_init__": _checking})
    with pytest.raises(TypeError, match="has to be a dataclass"):
        record(type("Derived", (base,), {}))


def test_records_have_no_order() -> None:
    some: Any = Point(1)
    with pytest.raises(TypeError):
        _ = some < Point(2)


def test_a_record_may_have_no_fields() -> None:
    assert Empty() == Empty()


def test_a_record_matches_by_its_fields() -> None:
    match Point(1, 7):
        case Point(x, y):
            assert (x, y) == (1, 7)
        case _:
            pytest.fail("no match")
