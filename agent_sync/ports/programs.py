"""Programs of the machine: custom commands in a sandbox, and Nix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_sync.ports.time import Cancellation

# -- Custom commands, in a sandbox.


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run in the sandbox. Directories are absolute paths.

    `words[0]` is a path with a `/`, found below `program_directory`, or a name found in /usr/bin:/bin.
    `program_directory` holds copies of what the command may read (the program and its `reads`), laid out as in the
    project.
    """

    words: tuple[str, ...]
    program_directory: str
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


# -- Nix: how it sees files, and its store.


class Nix(Protocol):
    """Nix on this machine. Only `copy` needs it to be installed."""

    @property
    def store_dir(self) -> str:
        """Where its store lies: a part of every store path."""
        ...

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        """The narHash of whatever lies at the absolute path: a file, a directory, a symbolic link.

        Raises: FileSystemError (nothing there, a device, no permission), DigestMismatch (it changed meanwhile),
          Cancelled.
        """
        ...

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        """These store paths are in the store, from the binary cache in the directory at the absolute path `cache`.

        Raises: FileSystemError (Nix is not installed, or refused), Cancelled.
        """
        ...
