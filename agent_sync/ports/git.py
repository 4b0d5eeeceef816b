"""Git: repositories as object databases, and who signed what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agent_sync.ports.time import Cancellation


class GitEntry(NamedTuple):
    """One line of a recursive tree listing. `mode` is git's: 0o100644, 0o100755, 0o120000 or 0o160000."""

    path: bytes
    mode: int
    oid: str


class GitCommit(NamedTuple):
    """A commit that is here: its own id and its tree's."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class SignedObject:
    """A tag or commit as it was signed. `signature` is armoured (OpenPGP or SSH); None if there is none."""

    payload: bytes
    signature: bytes | None


class GitRepository(Protocol):
    """One remote repository and what has been fetched from it, for as long as one update lasts.

    Raises, from every method that talks to the remote: NetworkError, LimitExceeded (size or time), Untrusted
    (protocol).
    """

    def advertised(self) -> Mapping[str, str]:
        """Ref name -> object id as the remote lists them: `HEAD`, `refs/...`, and `refs/tags/x^{}` for what a tag
        points to.
        """
        ...

    def complete(self, short: str) -> str | None:
        """The full id of the commit whose id begins with `short`, asking for the history where need be; None if there
        is none.
        """
        ...

    def fetch(self, oids: Sequence[str], *, without_blobs: bool) -> None:
        """These objects are here, in one transfer: tags and commits with their trees, and all blobs unless told
        otherwise.

        NetworkError if the remote does not have (or give out) one of them.
        """
        ...

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """These blobs are here, in one transfer; those that are already cost nothing."""
        ...

    def commit(self, oid: str) -> GitCommit:
        """The commit that `oid` (a commit, or a tag of one) leads to."""
        ...

    def entries(self, tree: str, *, into: Callable[[bytes], bool] = lambda _: True) -> Iterator[GitEntry]:
        """Everything below `tree`, files, links and submodules, as the objects say; nothing is checked yet.

        Directories of which `into` says no, by their whole path, are passed over. What one directory holds comes
        together.
        """
        ...

    def blob_size(self, oid: str) -> int:
        """The length of a blob that is here, in bytes."""
        ...

    def blob(self, oid: str) -> bytes | memoryview:
        """The content of a blob that is here, exactly as stored: no filter, no line-ending conversion."""
        ...

    def signed(self, oid: str) -> SignedObject:
        """The tag or commit `oid` taken apart for checking its signature."""
        ...


class GitHost(Protocol):
    """Where repositories come from."""

    def open(
        self, repo: str, *, timeout_s: float, max_bytes: int, cancellation: Cancellation
    ) -> AbstractContextManager[GitRepository]:
        """The repository at this address; a transfer stops at either bound, or when it is cancelled.

        Raises: Untrusted if the protocol is not allowed.
        """
        ...


class SignatureChecker(Protocol):
    """Says who signed."""

    def signer(self, signed: SignedObject, *, allowed_signers: bytes | None, keyring: bytes | None) -> str:
        """The principal or key that made the signature, which is good. Untrusted if there is none or it is not.

        `allowed_signers` is an ssh signers file (ssh-keygen(1)), `keyring` an OpenPGP keyring, armoured or not.
        """
        ...
