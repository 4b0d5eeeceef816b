"""How large, how many, how long: the limits of every fetch and every transform, and the error for each (spec §8.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agent_sync.errors import LimitExceeded
from agent_sync_oci.records import record

LimitKey = Literal["max_file_size", "max_source_size", "max_files", "fetch_timeout", "command_timeout"]
"""The keys under `limits:` in a configuration."""

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000


@record
class Limits:
    """Upper limits: sizes in bytes, times in seconds. The values here are the defaults."""

    max_file_size: int = 100 * MEGABYTE
    max_source_size: int = GIGABYTE
    max_files: int = 100_000
    fetch_timeout_s: float = 120.0
    command_timeout_s: float = 60.0

    @property
    def of_one_file(self) -> tuple[int, LimitKey]:
        """Return how many bytes a source of one file may have, and the key that says so."""
        if self.max_source_size < self.max_file_size:
            return self.max_source_size, "max_source_size"
        return self.max_file_size, "max_file_size"

    def lowered_by(self, other: Limits) -> Limits:
        """Return the lower of both, limit by limit."""
        return replace(
            self,
            max_file_size=min(self.max_file_size, other.max_file_size),
            max_source_size=min(self.max_source_size, other.max_source_size),
            max_files=min(self.max_files, other.max_files),
            fetch_timeout_s=min(self.fetch_timeout_s, other.fetch_timeout_s),
            command_timeout_s=min(self.command_timeout_s, other.command_timeout_s),
        )


def limit_exceeded(key: LimitKey, *, subject: str, check: str, otherwise: str | None = None) -> LimitExceeded:
    """Return the error for a limit; the remedy names the key that was in force, after what else may help."""
    raising = f"raise `{key}` under `limits:`"
    return LimitExceeded(
        subject=subject,
        check=f"{check} ({key})",
        remedy=raising if otherwise is None else f"{otherwise}, or {raising}",
        part=("limits", key),
    )
