"""Numbers for a person."""

from __future__ import annotations

from datetime import UTC, datetime

_LAST_S = 253_402_300_799  # the end of the year 9999, which is as far as a date goes


def bytes_text(size: int) -> str:
    """`512 B`, `1.4 kB`, `20.0 MB`: decimal units, as the limits of the configuration are written."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def time_text(when_s: float) -> str:
    """Seconds since 1970 as `2026-11-21T04:20:11Z`."""
    return datetime.fromtimestamp(min(max(when_s, 0.0), _LAST_S), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
