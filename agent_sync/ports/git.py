"""Git: repositories as object databases, and who signed what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from agent_sync.ports.machine import Cancellation
from agent_sync_oci.records import record


class GitEntry(NamedTuple):
    """One line of a recursive tree listing. `mode` is git's: 0o100644, 0o100755, 0o120000 or 0o160000."""

    path: bytes
    mode: int
    oid: str


class GitCommit(NamedTuple):
    """A fetched commit: its own id and its tree's."""

    commit: str
    tree: str


@record
class SignedObject:
    """A tag or commit as it was signed. `signature` is armored (OpenPGP or SSH); None if there is none."""

    payload: bytes
    signature: bytes | None


class GitRepository(Protocol):
    """One remote repository and what has been fetched from it, for as long as one update lasts.

    Raises, from every method that talks to the remote: NetworkError, LimitExceeded (size or time), Untrusted
    (protocol).
    """

    def advertised(self) -> Mapping[str, str]:
        """Return ref name -> object id as the remote lists them; `refs/tags/x^{}` is what a tag object points to."""
        ...

    def expand(self, short: str) -> str | None:
        """Return the full id of the one commit whose id begins with `short`; None if there is none.

        Raises: ConfigInvalid if there are several.
        """
        ...

    def fetch(self, oids: Sequence[str], *, without_blobs: bool) -> None:
        """Fetch these tags and commits with their trees, and with all blobs unless told otherwise, in one transfer.

        Raises: NetworkError if the remote does not have, or does not give out, one of them.
        """
        ...

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """Fetch these blobs in one transfer; those that are here already cost nothing."""
        ...

    def commit(self, oid: str) -> GitCommit:
        """Return the fetched commit that `oid` (a commit, or a tag of one) leads to."""
        ...

    def entries(self, tree: str, *, into: Callable[[bytes], bool] = lambda _: True) -> Iterator[GitEntry]:
        """Yield every file, link, and submodule below `tree`, as the objects have them; nothing is checked yet.

        Directories for whose whole path `into` returns false are passed over. The entries of one directory come
        together.
        """
        ...

    def blob_size(self, oid: str) -> int:
        """Return the length of a fetched blob in bytes."""
        ...

    def blob(self, oid: str) -> bytes | memoryview:
        """Return the content of a fetched blob, exactly as stored: no filter, no line-ending conversion."""
        ...

    def signed(self, oid: str) -> SignedObject:
        """Return the tag or commit `oid` taken apart for checking its signature."""
        ...


class GitHost(Protocol):
    """Opens repositories."""

    def open(
        self, repo: str, *, timeout_s: float, max_bytes: int, cancellation: Cancellation
    ) -> AbstractContextManager[GitRepository]:
        """Open the repository at this address; a transfer stops at either bound, or when it is cancelled.

        Raises: Untrusted if the protocol is not allowed.
        """
        ...


class SignatureChecker(Protocol):
    """Checks signatures."""

    def signer(self, signed: SignedObject, *, allowed_signers: bytes | None, keyring: bytes | None) -> str:
        """Return the principal or key that made the signature. Raise Untrusted if there is none or it is not good.

        `allowed_signers` is an ssh signers file (ssh-keygen(1)), `keyring` an OpenPGP keyring, armored or not.
        """
        ...
