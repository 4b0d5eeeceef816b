"""Sizes and durations as people write them -> bytes and seconds."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?(B|KB|MB|GB|KiB|MiB|GiB)?", re.ASCII | re.IGNORECASE)
_BYTES = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?(s|m)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0}


def size_bytes(text: str) -> int:
    """The number of bytes that `100MB`, `1 GiB` or `4096` means. ValueError for anything else, zero included."""
    match = _SIZE.fullmatch(text)
    size = 0 if match is None else round(float(match[1]) * _BYTES[(match[2] or "b").lower()])
    if size < 1:
        raise ValueError(f"not a size: {text[:40]!r}")
    return size


def duration_s(text: str) -> float:
    """The number of seconds that `120s` or `2m` means. ValueError for anything else, zero included."""
    match = _DURATION.fullmatch(text)
    seconds = 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError(f"not a duration: {text[:40]!r}")
    return seconds
