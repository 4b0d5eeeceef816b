"""Applied state: what the targets of one checkout were last written from."""

from __future__ import annotations

from typing import Protocol

from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest


class AppliedState(Protocol):
    """The lock that was last applied to a checkout, as the bytes of its file.

    A run that writes targets stages the new state beside its journal, and `commit` is its commit point: before it the
    run can only be undone, after it only be finished. So whatever an implementation keeps besides (a history, say), one
    rename in `commit` decides.

    Raises, from every method:
        UnsafePath: the place of the state is a symlink.
        FileSystemError: the system refused, or something else is in that place.
        LimitExceeded: the state is larger than any lock may be.
    """

    def read(self) -> bytes | None:
        """Return the state that is in force; None if nothing was applied yet."""
        ...

    def written_at_s(self) -> float | None:
        """Return when it was committed, in seconds since 1970."""
        ...

    def commit(self, staged: RelPath) -> None:
        """Make the file `staged`, a path in the project, the state in force, by one rename."""
        ...

    def write(self, content: bytes) -> None:
        """Put `content` in force where the targets are what it says already; writing the same again changes nothing."""
        ...

    def witness(self) -> Digest | None:
        """Return the digest of the state in force, for whoever records what this machine wrote; None if there is none.

        The digest is that of the bytes given to `commit` or `write`, so a state that somebody else put there shows.
        """
        ...
