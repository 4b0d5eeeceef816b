"""How large, how many, how long: the bounds that every fetch and every transform keeps (spec §8.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds: sizes in bytes, times in seconds. The values here are the defaults."""

    max_file_size: int = 100 * MEGABYTE
    max_source_size: int = GIGABYTE
    max_files: int = 100_000
    fetch_timeout_s: float = 120.0
    command_timeout_s: float = 60.0

    def lowered_by(self, other: Limits) -> Limits:
        """The tighter of both, bound by bound."""
        return replace(
            self,
            max_file_size=min(self.max_file_size, other.max_file_size),
            max_source_size=min(self.max_source_size, other.max_source_size),
            max_files=min(self.max_files, other.max_files),
            fetch_timeout_s=min(self.fetch_timeout_s, other.fetch_timeout_s),
            command_timeout_s=min(self.command_timeout_s, other.command_timeout_s),
        )
