"""Checkout: the state of one checkout, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from agent_sync.checkout.directory import read_bounded
from agent_sync.checkout.kept import Kept
from agent_sync.errors import FileSystemError, ProjectBusy, UnsafePath
from agent_sync.lock.reader import MAX_LOCK_BYTES
from agent_sync.ports import Directory, Kind
from agent_sync.tree import RelPath, join
from agent_sync_oci.text import quoted

STATE = RelPath(".agent-sync")
TRANSACTION = join(STATE, RelPath("txn"))
APPLIED = join(STATE, RelPath("applied.lock"))
INHERITED = join(STATE, RelPath("inherited.lock"))

_IGNORE = join(STATE, RelPath(".gitignore"))
_KEPT = join(STATE, RelPath("kept"))
_HELD = join(STATE, RelPath("lock"))


class Checkout:
    """The `.agent-sync/` of the project in `directory`. Reading never makes anything.

    Raises, from every method that reads or writes:
        UnsafePath: `.agent-sync` or something in it is a symlink.
        FileSystemError: the system refused, or something else stands in that place.
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    @property
    def kept(self) -> Kept:
        """The local edits that were replaced here."""
        return Kept(self.directory, _KEPT)

    def prepare(self) -> None:
        """`.agent-sync/` stands there, and git does not see it."""
        if self.is_there() and self.directory.stat(_IGNORE) is not None:
            return
        self.directory.make_directory(STATE)
        self.directory.replace(_IGNORE, b"*\n")

    def is_there(self) -> bool:
        """Whether something is remembered here.

        Raises: UnsafePath, FileSystemError if what bears the name is not a directory.
        """
        stat = self.directory.stat(STATE)
        if stat is None or stat.kind is Kind.DIRECTORY:
            return stat is not None
        family = UnsafePath if stat.kind is Kind.LINK else FileSystemError
        raise family(
            subject=f"directory {STATE}",
            check="it is a symbolic link" if stat.kind is Kind.LINK else "it is not a directory",
            remedy="move it away: agent-sync makes a directory of its own",
        )

    @contextmanager
    def hold(self, *, wait_s: float = 0.0) -> Iterator[None]:
        """Nobody else writes to this project as long as the `with` block lasts.

        Raises: ProjectBusy if another process does, for longer than `wait_s` seconds.
        """
        self.prepare()
        with ExitStack() as held:
            try:
                held.enter_context(self.directory.lock(_HELD, wait_s=wait_s))
            except ProjectBusy as error:
                raise ProjectBusy(
                    subject=f"project {quoted(self.directory.name)}",
                    check="another agent-sync is writing to it",
                    remedy="wait until it has finished, then run this again",
                ) from error
            yield

    def applied(self) -> bytes | None:
        """The lock that was last written to the targets; None if none was."""
        return self._read(APPLIED)

    def applied_at_s(self) -> float | None:
        """When that was, in seconds since 1970."""
        stat = self.directory.stat(APPLIED)
        return None if stat is None else stat.modified_ns / 1e9

    def write_applied(self, content: bytes) -> None:
        """Remember the lock that the targets already are; `apply` does it for targets that it writes."""
        if self.applied() != content:
            self.prepare()
            self.directory.replace(APPLIED, content)

    def commit_applied(self, ready: RelPath) -> None:
        """The file at `ready` is the applied lock, by one rename."""
        self.directory.rename(ready, APPLIED)

    def inherited(self) -> bytes | None:
        """What the user's own layers add to the committed lock; None if nothing."""
        return self._read(INHERITED)

    def write_inherited(self, content: bytes | None) -> None:
        """Remember it, or that there is nothing."""
        if content is None:
            self.directory.remove(INHERITED)
        elif self.inherited() != content:
            self.prepare()
            self.directory.replace(INHERITED, content)

    def _read(self, path: RelPath) -> bytes | None:
        again = "agent-sync sync" if path == APPLIED else "agent-sync update --inherited"
        return read_bounded(path, self.directory, max_bytes=MAX_LOCK_BYTES, remedy=f"delete it; {again} makes it again")
