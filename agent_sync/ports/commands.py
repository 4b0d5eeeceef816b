"""Custom commands, in a sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent_sync.ports.time import Cancellation


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run in the sandbox. Folders are absolute paths.

    `words[0]` is a path with a `/`, found below `program_folder`, or a name found in /usr/bin:/bin. `program_folder`
    holds copies of what the command may read (the program and its `reads`), laid out as in the project.
    """

    words: tuple[str, ...]
    program_folder: str
    input: str
    output: str
    timeout_s: float
    max_output_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit status (negative: the signal), and the tail of what it printed."""

    exit_code: int
    printed: str


class Runner(Protocol):
    """Runs a command that can reach no network and write nowhere but in `output`."""

    def run(self, command: Command, *, cancellation: Cancellation) -> Finished:
        """The command has ended and no process of it is left.

        Raises TransformFailed (the sandbox cannot be built here: nothing was run), LimitExceeded, Cancelled.
        """
        ...
