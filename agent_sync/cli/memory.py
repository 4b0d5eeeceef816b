"""Answers of one command line, kept as receipts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_sync.receipt.noting import Notes


@dataclass(frozen=True, slots=True)
class Memory:
    """Keeps what the process with these arguments and this environment answers."""

    arguments: Sequence[str]
    environment: Mapping[str, str]

    def notes(self) -> Notes:
        """For a run that begins now; it may use what earlier ones have hashed."""
        from agent_sync.receipt.leaving import known_files
        from agent_sync.receipt.noting import Notes

        return Notes(begun_ns=time.time_ns(), known=lambda: known_files(self.environment))

    def keep(self, notes: Notes) -> None:
        """The answer that these notes are about can be given again, if nothing speaks against it."""
        from agent_sync.receipt.leaving import leave

        leave(notes, self.arguments, self.environment, made_s=int(time.time()))
