"""The hash of everything but file contents: quick, and there without OpenSSL, which alone takes 2 ms to load."""

from __future__ import annotations

import os

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter built without it
    from hashlib import blake2b

UNSET = bytes(16)


def checksum(content: bytes | memoryview) -> bytes:
    """32 bytes that change when the content does."""
    return blake2b(content, digest_size=32).digest()


def names_digest(names: list[bytes]) -> bytes:
    """32 bytes that change when a directory has other names in it; `names` are sorted."""
    return checksum(b"\0".join(names))


def short_name(content: bytes) -> str:
    """32 hexadecimal digits for what is to be looked up by them."""
    return blake2b(content, digest_size=16).hexdigest()


def variable_digest(value: str | None) -> bytes:
    """16 bytes for the value of an environment variable, which may be a secret; zeros for one that is not set."""
    return UNSET if value is None else blake2b(os.fsencode(value), digest_size=16).digest()
