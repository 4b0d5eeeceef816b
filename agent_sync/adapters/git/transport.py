"""What brings objects here: a protocol of two implementations, and the bounds that both keep."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from agent_sync.adapters.git.address import GitAddress
from agent_sync.adapters.git.program import Bounds, Ended
from agent_sync.errors import LimitExceeded, NetworkError
from agent_sync.ports import Cancellation

_BLOCK_BYTES = 512  # a bound on a file's size is rounded down to whole blocks
_TOO_LARGE = "File too large"  # what a program says that survives the attempt (EFBIG)
_LONGEST_LISTING_BYTES = 1 << 26  # a million refs


Tips = Callable[[], Mapping[str, str]]
"""Asks what refs the remote lists, once: ref name -> object id."""


class Transport(Protocol):
    """Speaks to one remote; objects land in bare repositories, which are folders that `make_repository` made."""

    def list_refs(self) -> bytes:
        """Lines of object id, tab, ref name."""
        ...

    def fetch(self, repository: str, oids: Sequence[str], tips: Tips, *, without_blobs: bool) -> None:
        """These commits and tags are in `repository` with all that they need, or perhaps without their blobs."""
        ...

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        """These blobs are in `repository`."""
        ...

    def fetch_history(self, repository: str, tips: Tips) -> None:
        """All commits behind these refs are in `repository`; trees and blobs may be missing."""
        ...


@dataclass(slots=True)
class Budget:
    """What all transfers from one remote may take together, in seconds and in bytes of objects."""

    address: GitAddress
    remaining_s: float
    max_bytes: int
    cancellation: Cancellation

    @contextmanager
    def spend(self, repository: str) -> Iterator[Bounds]:
        """Bounds for one transfer into this repository; the time it takes is gone afterwards."""

        def look_around() -> None:
            self.cancellation.check()
            self._refuse_more_than(self.max_bytes, repository)

        start = time.monotonic()
        try:
            self._refuse_more_than(self.max_bytes - 1, repository)
            left = self.max_bytes - size_of_objects(repository)
            yield Bounds(
                str(self.address),
                max(0.0, self.remaining_s),
                max_file_bytes=left,
                max_output_bytes=_LONGEST_LISTING_BYTES,
                setting="fetch_timeout",
                look_around=look_around,
            )
        finally:
            self.remaining_s -= time.monotonic() - start

    def refuse_too_large(self, repository: str, ended: Ended) -> None:
        """Nothing, if a transfer that ended like this kept the bound; LimitExceeded if it went to it or past."""
        stopped = ended.exit_code != 0 and _TOO_LARGE in ended.complaint
        self._refuse_more_than(-1 if stopped else self.max_bytes - _BLOCK_BYTES, repository)

    def _refuse_more_than(self, max_bytes: int, repository: str) -> None:
        if size_of_objects(repository) > max_bytes:
            raise self._too_large()

    def _too_large(self) -> LimitExceeded:
        return LimitExceeded(
            subject=str(self.address),
            check=f"it sends more than {self.max_bytes} bytes (max_source_size)",
            remedy="narrow the source with `paths:`, or raise `max_source_size` under `limits:`",
        )


def make_repository(folder: str) -> str:
    """An empty bare repository is in `folder`, whose path comes back: no template, no hook, no setting of anybody's."""
    os.makedirs(f"{folder}/objects/pack")
    os.makedirs(f"{folder}/refs")
    with open(f"{folder}/HEAD", "x", encoding="ascii") as head:
        head.write("ref: refs/heads/none\n")
    with open(f"{folder}/config", "x", encoding="ascii") as config:
        config.write("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    return folder


def size_of_objects(repository: str) -> int:
    """The length of all that was sent into this repository, unfinished packs included, in bytes."""
    sizes = (
        _size(os.path.join(folder, name))
        for folder, _, names in os.walk(f"{repository}/objects")
        for name in names
        if not name.endswith((".idx", ".rev", ".promisor"))
    )
    return sum(sizes)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0  # it has got its final name meanwhile


def read_refs(address: GitAddress, listing: bytes) -> dict[str, str]:
    """Ref name -> object id, of a listing; names that are not UTF-8 are left out, since none can be asked for.

    Raises: NetworkError if it is empty, no such listing, or one of a SHA-256 repository.
    """
    refs: dict[str, str] = {}
    for line in listing.splitlines():
        oid, tab, name = line.partition(b"\t")
        if not tab or len(oid) not in (40, 64) or oid.strip(b"0123456789abcdef"):
            raise _no_refs(address, "what it lists are no refs", "check the address")
        if len(oid) == 64:
            what = "it is a SHA-256 repository, which cannot be read yet"
            raise _no_refs(address, what, "use a repository in git's SHA-1 format")
        try:
            refs[name.decode("utf-8")] = oid.decode("ascii")
        except UnicodeDecodeError:
            continue
    if not refs:  # also what git makes of a page for people, as a captive portal sends one
        raise _no_refs(address, "it lists nothing: it is empty, or there is no repository", "check the address")
    return refs


def _no_refs(address: GitAddress, check: str, remedy: str) -> NetworkError:
    return NetworkError(subject=str(address), check=check, remedy=remedy)


def branches_and_tags(tips: Mapping[str, str]) -> tuple[str, ...]:
    """The ids behind what those have made who may push; not `refs/pull/`, where anybody can put a commit."""
    ours = ("refs/heads/", "refs/tags/")
    return tuple(
        oid for name, oid in tips.items() if (name == "HEAD" or name.startswith(ours)) and not name.endswith("^{}")
    )
