"""The machine: time and the wish to stop, the network, custom commands, and Nix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from agent_sync.errors import Cancelled
from agent_sync.limits import LimitKey
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync_oci.reference import Reference
    from agent_sync_oci.registry.protocol import Registry


class Clock(Protocol):
    """What time it is; used for names of kept files and for reclaiming, never for an output."""

    def now_s(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds since some moment; the value never goes back."""
        ...


class Cancellation:
    """Lets a caller stop a verb from another thread, or after a time; long work calls `check` now and then."""

    def __init__(self, *, clock: Clock | None = None, timeout_s: float | None = None) -> None:
        self._event = threading.Event()
        self._clock = clock
        self._deadline = None if clock is None or timeout_s is None else clock.monotonic_s() + timeout_s

    def cancel(self) -> None:
        """Make `check` raise from now on."""
        self._event.set()

    def check(self) -> None:
        """Raise Cancelled if it is time to stop."""
        if self._event.is_set():
            raise Cancelled(subject="run", check="was cancelled", remedy="rerun the command; nothing is half-written")
        if self._deadline is not None and self._clock is not None and self._clock.monotonic_s() > self._deadline:
            raise Cancelled(subject="run", check="took longer than its caller allows", remedy="allow more time")


class Fetcher(Protocol):
    """Gets one URL. Several threads may use it at once."""

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
        size_key: LimitKey = "max_file_size",
    ) -> None:
        """Pass every byte of the body to `write`, in the caller's thread, as the server sends it.

        `size_key` is the key under `limits:` that `max_bytes` comes from, for the error.

        What came before an error has been written.

        Raises: NetworkError (unreachable, status, a redirect that is refused), LimitExceeded (`max_bytes`,
            `timeout_s`), Cancelled, FileSystemError (credentials, authorities), and what `write` raises.
        """
        ...


class Registries(Protocol):
    """Opens registries, layouts, and archives by reference."""

    def open(
        self, reference: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        """Open the repository at that reference. No single request may be silent for longer than `timeout_s`.

        `plain_http` lets a registry that is not on this machine be contacted without TLS.
        """
        ...


@record
class Command:
    """A program to run in the sandbox. Directories are absolute paths.

    `argv[0]` is a path with a `/`, found below `program_directory`, or a name found in /usr/bin:/bin.
    `program_directory` holds copies of what the command may read (the program and its `reads`), laid out as in the
    project.
    """

    argv: tuple[str, ...]
    program_directory: str
    input: str
    output: str
    timeout_s: float
    max_output_bytes: int
    max_files: int


class Finished(NamedTuple):
    """How a command ended: its exit status (negative: the signal), and the tail of what it printed."""

    exit_code: int
    printed: str


class Runner(Protocol):
    """Runs a command that can reach no network and write nowhere but in `output`."""

    def run(self, command: Command, *, cancellation: Cancellation) -> Finished:
        """Run the command until it has ended and no process of it is left.

        Raises: TransformFailed (the sandbox cannot be built here: nothing was run), LimitExceeded, Cancelled.
        """
        ...


class Nix(Protocol):
    """Nix on this machine. Only `copy` needs it to be installed."""

    @property
    def store_dir(self) -> str:
        """The directory of the Nix store: a part of every store path."""
        ...

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        """Return the narHash of the file, directory, or symbolic link at the absolute path.

        Raises: FileSystemError (nothing at the path, a device, no permission), DigestMismatch (it changed meanwhile),
            Cancelled.
        """
        ...

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        """Copy these store paths into the Nix store, from the binary cache in the directory at the absolute path.

        Raises: FileSystemError (Nix is not installed, or refused), Cancelled.
        """
        ...
