"""The fields of a JSON object in protobuf's spelling (ProtoJSON), taken strictly: one spelling for each value.

A field that is missing or null has the zero value of its type, as protobuf has it: clients omit zeros.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NoReturn, Self

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.text import quoted

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")  # below 2^63: protobuf's int64 as text


class Fields:
    """One object; `subject` and `where` name it in errors. Every method raises InvalidSignature for other types."""

    __slots__ = ("_left", "_subject", "_where")

    def __init__(self, value: object, *, subject: str, where: str = "") -> None:
        self._subject = subject
        self._where = where
        self._left: dict[str, object] = value if isinstance(value, dict) else self._refuse("", "not an object")
        self._left = {name: field for name, field in self._left.items() if field is not None}

    def text(self, name: str) -> str:
        """Return the text, or an empty one."""
        value = self._left.pop(name, "")
        return value if isinstance(value, str) else self._refuse(name, "not text")

    def number(self, name: str) -> int:
        """Return the number from 0 to 2^63, which is written as text, or 0."""
        value = self._left.pop(name, "0")
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            self._refuse(name, "not a number from 0 to 2^63, as text")
        return int(value)

    def octets(self, name: str) -> bytes:
        """Return the bytes that base64 encodes, or none."""
        return self._octets(name, self._left.pop(name, ""))

    def each_octets(self, name: str) -> tuple[bytes, ...]:
        """Return the bytes of each element of a list."""
        return tuple(self._octets(f"{name}[{number}]", each) for number, each in enumerate(self._list(name)))

    def inner(self, name: str) -> Self | None:
        """Return the object inside, or None."""
        value = self._left.pop(name, None)
        return None if value is None else self._inside(value, name)

    def each(self, name: str) -> tuple[Self, ...]:
        """Return each object of a list."""
        return tuple(self._inside(each, f"{name}[{number}]") for number, each in enumerate(self._list(name)))

    def end(self) -> None:
        """Refuse fields that nobody took: another program might read them."""
        for name in self._left:
            self._refuse(name, "not a known field")

    def refuse(self, check: str) -> NoReturn:
        """Raise InvalidSignature for this object."""
        place = self._where.removeprefix(".")
        raise InvalidSignature(subject=self._subject, check=f"{place}: {check}" if place else check)

    def _list(self, name: str) -> list[object]:
        value = self._left.pop(name, [])
        return value if isinstance(value, list) else self._refuse(name, "not a list")

    def _inside(self, value: object, name: str) -> Self:
        return type(self)(value, subject=self._subject, where=f"{self._where}.{name}")

    def _octets(self, name: str, value: object) -> bytes:
        if isinstance(value, str):
            try:
                octets = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                octets = b""
            if base64.b64encode(octets).decode() == value:  # nor with stray bits at its end
                return octets
        return self._refuse(name, "not base64")

    def _refuse(self, name: str, check: str) -> NoReturn:
        place = f"{self._where}.{name}".strip(".")
        check = f"{quoted(place)} is {check}" if place else check
        raise InvalidSignature(subject=self._subject, check=check)
