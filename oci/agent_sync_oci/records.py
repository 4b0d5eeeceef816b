"""Records: immutable classes with named fields, like `dataclass(frozen=True, slots=True)`, and cheaper to define.

`dataclass` compiles seven methods for each class, which for a hundred classes is a third of the time to start. Here one
is compiled, `__init__`, and the others are shared: they look up the fields when they are called. `fields`, `replace`
and pattern matching work as for every dataclass. What few runs need, or needs `__post_init__`, is a plain dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cache
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

_Class = TypeVar("_Class")


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[_Class], /) -> type[_Class]: ...


@overload
def record(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[_Class]], type[_Class]]: ...


def record(cls: type[Any] | None = None, /, *, kw_only: bool = False, eq: bool = True) -> Any:
    """Make a record of the class: a class decorator. Methods that the class defines itself stay.

    The parameters mean what they mean to `dataclass`: without `eq` every record equals itself alone.

    Raises: TypeError for a class whose `__init__` would have to do more than set the fields.
    """

    def make(cls: type[_Class]) -> type[_Class]:
        for name, method in _SHARED.items():
            if name not in vars(cls) and (eq or name not in ("__eq__", "__hash__")):
                setattr(cls, name, method)
        made = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
        made.__init__ = _constructor(made)  # type: ignore[method-assign]
        return made

    return make if cls is None else make(cls)


def _constructor(cls: type) -> Any:  # noqa: ANN401  # a function with the parameters that the class has fields
    """Compile `__init__`. It sets the fields past `__setattr__`, which refuses every assignment."""
    parts = fields(cls)
    # Passed over in silence, a check in `__post_init__` would never run.
    if "__init__" in vars(cls) or hasattr(cls, "__post_init__") or not all(each.init for each in parts):
        raise TypeError(f"{cls.__qualname__} has to be a dataclass: the __init__ of a record sets every field, no more")
    scope: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    positional = [each for each in parts if not each.kw_only]
    by_name = [each for each in parts if each.kw_only]
    parameters = ["self", *(each.name for each in positional), *(["*"] if by_name else []), *(e.name for e in by_name)]
    lines = [f"def __init__({', '.join(parameters)}):", " pass"]  # there may be no field
    for each in parts:
        value = each.name
        if each.default_factory is not MISSING:
            scope[f"_make_{each.name}"] = each.default_factory
            value = f"_make_{each.name}() if {each.name} is _MISSING else {each.name}"
        lines.append(f" _set(self, {each.name!r}, {value})")
    exec("\n".join(lines), scope)  # noqa: S102  # names of fields, as in `dataclass` itself
    constructor = scope["__init__"]
    constructor.__defaults__ = tuple(each.default for each in positional if _is_optional(each))
    constructor.__kwdefaults__ = {each.name: each.default for each in by_name if _is_optional(each)}
    constructor.__annotations__ = {**{each.name: each.type for each in parts}, "return": None}
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    return constructor


def _is_optional(part: Field[Any]) -> bool:
    return part.default is not MISSING or part.default_factory is not MISSING


@cache
def _names(cls: type, use: str) -> tuple[str, ...]:
    """Return the names of the fields that are for `use`: `compare` or `hash`."""
    chosen = []
    for each in fields(cls):
        wanted = getattr(each, use)
        if each.compare if wanted is None else wanted:  # `hash` is None where it follows `compare`
            chosen.append(each.name)
    return tuple(chosen)


def _values(record: object, use: str) -> tuple[object, ...]:
    names = _names(type(record), use)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    return tuple([getattr(record, name) for name in names])


def _equal(self: object, other: object) -> bool:
    if type(other) is not type(self):
        return NotImplemented  # type: ignore[no-any-return]
    return _values(self, "compare") == _values(other, "compare")


def _hash(self: object) -> int:
    return hash(_values(self, "hash"))


def _repr(self: Any) -> str:  # noqa: ANN401  # an instance of a dataclass
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse_assignment(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[Callable[..., object], tuple[object, ...]]:  # noqa: ANN401  # of a dataclass
    """Return how `copy` and `pickle` make the record again, which they cannot do by assignment."""
    return _made_again, (type(self), {each.name: getattr(self, each.name) for each in fields(self)})


def _made_again(cls: type, values: Mapping[str, object]) -> object:
    return cls(**values)


_SHARED = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__reduce__": _reduce,
}
