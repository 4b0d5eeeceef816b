"""The protocol between runner and supervisor: one line of JSON in each direction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Order:
    """One command to run. Every path is absolute and has no symlink in it."""

    program: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    program_directory: str
    input: str
    output: str
    home: str
    timeout_s: float
    max_output_bytes: int
    max_files: int
    newest_landlock: int | None
    namespaces: bool

    def line(self) -> bytes:
        """Return the order as one line."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Return the order that `line` was made from."""
        fields = json.loads(line)
        return cls(**fields | {"argv": tuple(fields["argv"])})


class Ending(Enum):
    """How it went."""

    EXITED = "exited"  # `number` is the exit status, or minus the signal
    EXCEEDED = "exceeded"  # `text` says which limit
    UNCONFINED = "unconfined"  # `text` says which part of the sandbox this kernel refuses; nothing was run
    UNSTARTABLE = "unstartable"  # `text` says why the program cannot be executed; nothing was run
    STOPPED = "stopped"  # the runner wanted no more of it


@dataclass(frozen=True, slots=True)
class Report:
    """The supervisor's final report: when it arrives, no process of the command is left."""

    ending: Ending
    text: str = ""
    number: int = 0

    def line(self) -> bytes:
        """Return the report as one line."""
        return json.dumps([self.ending.value, self.text, self.number]).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Report:
        """Return the report that `line` was made from. Raise ValueError if it is none."""
        ending, text, number = json.loads(line)
        return cls(Ending(ending), str(text), int(number))
