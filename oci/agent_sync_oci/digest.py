"""Digests as OCI spells them: `sha256:` and 64 lower-case hexadecimal digits (OCI image spec 1.1, descriptor.md)."""

from __future__ import annotations

import hashlib
import re
from typing import Self

_SPELLING = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """A well-formed SHA-256 digest; it compares and prints as its text.

    Made by `parse`, `of` or `from_hex` only, so that a `Digest` is always safe to be a file name.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The digest that `text` spells. Raises ValueError for any other spelling, upper case included."""
        if _SPELLING.fullmatch(text) is None:
            raise ValueError(f"not a sha256 digest: {text[:80]!r}")
        return cls(text)

    @classmethod
    def from_hex(cls, hex_digits: str) -> Self:
        """The digest with these 64 hexadecimal digits. Raises ValueError for anything else."""
        if _HEX.fullmatch(hex_digits) is None:
            raise ValueError(f"not 64 hexadecimal digits: {hex_digits[:80]!r}")
        return cls(f"sha256:{hex_digits}")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The digest of `content`."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}")

    @property
    def hex(self) -> str:
        """The 64 digits, without the algorithm."""
        return self[7:]
