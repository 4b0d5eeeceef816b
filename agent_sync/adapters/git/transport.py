"""Transfer objects from a remote repository: by the `git` command, or by libgit2 where there is none.

The command speaks protocol 2, shallow, and without blobs where only a few are wanted. libgit2 fetches whole histories
of refs and runs in a process of its own: its settings (where a user's configuration is, whom to trust) are global to
the program that loads it, and a connection that hangs in a library can only be killed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from agent_sync.adapters.descriptors import translated
from agent_sync.adapters.git.environment import NO_SUCH_WANT, GitAddress, InstalledGit, transfer_failed
from agent_sync.adapters.program import Bounds, Completed, run
from agent_sync.errors import LimitExceeded, NetworkError
from agent_sync.limits import limit_exceeded
from agent_sync.ports import Cancellation

_BLOCK_BYTES = 512  # a bound on a file's size is rounded down to whole blocks
_TOO_LARGE = "File too large"  # what a program says that survives the attempt (EFBIG)
_LONGEST_LISTING_BYTES = 1 << 26  # a million refs
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--recurse-submodules=no")
_BARE = {
    "HEAD": "ref: refs/heads/none\n",
    "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
}
_LIST = ("cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered")
_SMALL_PACK_BYTES = 4 << 20  # from here on libgit2, once it is loaded, is quicker
_SMALL_LISTING_BYTES = 32 << 20
_NO_SUCH_FILTER = re.compile(r"filter.* not (?:recognized|supported|allowed)", re.IGNORECASE)

Refs = Callable[[], Mapping[str, str]]
"""Returns the refs that the remote lists, which it is asked for once: ref name -> object id."""


class Transport(Protocol):
    """Transfers objects from one remote into bare repositories, directories that `make_repository` has made."""

    def list_refs(self) -> bytes:
        """Return lines of object id, tab, ref name."""
        ...

    def fetch(self, repository: str, oids: Sequence[str], refs: Refs, *, without_blobs: bool) -> None:
        """Fetch these commits and tags with all that they need; their blobs may be left out where `without_blobs`."""
        ...

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        """Fetch these blobs."""
        ...

    def fetch_history(self, repository: str, refs: Refs) -> None:
        """Fetch all commits behind these refs; trees and blobs may be left out."""
        ...

    def list_objects(self, repository: str) -> bytes | None:
        """Return every object of a small repository as `git cat-file --batch` prints it; None for any other."""
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
        """Yield the bounds of one transfer into this repository; the time that it takes is deducted afterwards."""

        def poll() -> None:
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
                poll=poll,
            )
        finally:
            self.remaining_s -= time.monotonic() - start

    def refuse_too_large(self, repository: str, completed: Completed) -> None:
        """Raise LimitExceeded if the transfer that ended like this reached the bound, or passed it."""
        stopped = completed.exit_code != 0 and _TOO_LARGE in completed.stderr
        self._refuse_more_than(-1 if stopped else self.max_bytes - _BLOCK_BYTES, repository)

    def _refuse_more_than(self, max_bytes: int, repository: str) -> None:
        if size_of_objects(repository) > max_bytes:
            raise self._too_large()

    def _too_large(self) -> LimitExceeded:
        return limit_exceeded(
            "max_source_size",
            subject=str(self.address),
            check=f"the remote sends more than {self.max_bytes} bytes",
            otherwise="narrow the source with `paths:`",
        )


def make_repository(directory: str) -> str:
    """Make an empty bare repository, without templates, hooks, or anybody's settings; return its path.

    Raises: FileSystemError.
    """
    with translated("make the repository", directory):
        os.makedirs(f"{directory}/objects/pack")
        os.makedirs(f"{directory}/refs")
        for name, content in _BARE.items():
            with open(f"{directory}/{name}", "x", encoding="ascii") as file:
                file.write(content)
    return directory


def size_of_objects(repository: str) -> int:
    """Return the length of all that was sent into this repository, unfinished packs included, in bytes.

    Raises: FileSystemError.
    """
    with translated("look at", repository):
        return sum(
            _size(os.path.join(directory, name))
            for directory, _, names in os.walk(f"{repository}/objects")
            for name in names
            if not name.endswith((".idx", ".rev", ".promisor"))  # made here, not sent
        )


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0  # git has given it its final name meanwhile


def read_refs(address: GitAddress, listing: bytes) -> dict[str, str]:
    """Return ref name -> object id, of a listing; names that are not UTF-8 are left out, since none can be declared.

    Raises: NetworkError if the listing is empty, malformed, or of a SHA-256 repository.
    """
    refs: dict[str, str] = {}
    for line in listing.splitlines():
        oid, tab, name = line.partition(b"\t")
        if not tab or len(oid) not in (40, 64) or oid.strip(b"0123456789abcdef"):
            raise _no_refs(address, "does not list refs", "check the address")
        if len(oid) == 64:
            what = "is a SHA-256 repository, which cannot be read yet"
            raise _no_refs(address, what, "use a repository in git's SHA-1 format")
        try:
            refs[name.decode("utf-8")] = oid.decode("ascii")
        except UnicodeDecodeError:
            continue
    if not refs:  # also what git makes of a page for people, as a captive portal sends one
        raise _no_refs(address, "lists nothing: it is empty, or no repository", "check the address")
    return refs


def _no_refs(address: GitAddress, check: str, remedy: str) -> NetworkError:
    return NetworkError(subject=str(address), check=check, remedy=remedy)


def branches_and_tags(refs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids of what those who may push have made; not `refs/pull/`, where anybody can put a commit."""
    ours = ("refs/heads/", "refs/tags/")
    return tuple(
        oid for name, oid in refs.items() if (name == "HEAD" or name.startswith(ours)) and not name.endswith("^{}")
    )


class GitCommand:
    """Transport by the installed git; no process for each object, and never a checkout."""

    def __init__(self, git: InstalledGit, budget: Budget, *, home: str) -> None:
        self._git = git
        self._budget = budget
        self._home = home

    def list_refs(self) -> bytes:
        completed = self._run(self._home, ("ls-remote", "--quiet", "origin"))
        if completed.exit_code:
            raise transfer_failed(self._budget.address, completed.stderr, self._home)
        return completed.output

    def fetch(self, repository: str, oids: Sequence[str], refs: Refs, *, without_blobs: bool) -> None:
        filters = ("blob:none", None) if without_blobs else (None,)
        completed = self._fetch(repository, oids, filters, "--depth=1")
        if completed.exit_code and re.search(NO_SUCH_WANT, completed.stderr):
            # This server gives out only what its refs point to: the wanted object is one of those, or behind one.
            advertised = set(refs().values())
            completed = self._fetch(
                repository, (*branches_and_tags(refs()), *(oid for oid in oids if oid in advertised)), filters
            )
        self._refuse_failure(repository, completed)

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        # What git itself does when it misses a blob of a partial clone, but for all of them at once.
        self._refuse_failure(repository, self._fetch(repository, oids, ("blob:none",)))

    def fetch_history(self, repository: str, refs: Refs) -> None:
        completed = self._fetch(repository, branches_and_tags(refs()), ("tree:0", "blob:none", None))
        self._refuse_failure(repository, completed)

    def list_objects(self, repository: str) -> bytes | None:
        if size_of_objects(repository) > _SMALL_PACK_BYTES:
            return None
        bounds = Bounds(
            str(self._budget.address),
            max(0.0, self._budget.remaining_s),
            max_output_bytes=_SMALL_LISTING_BYTES,
            poll=self._budget.cancellation.check,
        )
        environment = self._git.environment(self._budget.address, repository)
        try:
            completed = run((self._git.program, *_LIST), bounds, environment=environment, directory=repository)
        except LimitExceeded:  # a small pack may hold large objects
            return None
        return None if completed.exit_code else completed.output

    def _fetch(self, repository: str, oids: Iterable[str], filters: Iterable[str | None], *options: str) -> Completed:
        """Fetch with the first of these filters that the remote accepts."""
        wanted = "".join(f"{oid}\n" for oid in dict.fromkeys(oids))
        completed = None
        for each in filters:
            narrowed = "--no-filter" if each is None else f"--filter={each}"  # one that was tried would be remembered
            argv = (*_FETCH, *options, narrowed, "--stdin", "--end-of-options", "origin")
            completed = self._run(repository, argv, wanted)
            if not completed.exit_code or not _NO_SUCH_FILTER.search(completed.stderr):
                break
        assert completed is not None
        return completed

    def _run(self, repository: str, argv: Iterable[str], stdin: str = "") -> Completed:
        environment = self._git.environment(self._budget.address, repository)
        with self._budget.spend(repository) as bounds:
            return run(
                (self._git.program, *argv),
                bounds,
                environment=environment,
                directory=repository,
                stdin=stdin.encode("ascii"),
            )

    def _refuse_failure(self, repository: str, completed: Completed) -> None:
        self._budget.refuse_too_large(repository, completed)
        if completed.exit_code:
            raise transfer_failed(self._budget.address, completed.stderr, repository)


class GitLibrary:
    """Transport by libgit2, which can neither ask for one commit nor leave out blobs.

    `certificates`: a file of authorities to trust in place of the machine's.
    """

    def __init__(self, environment: Mapping[str, str], budget: Budget, *, home: str, certificates: str | None) -> None:
        self._environment = environment
        self._certificates = certificates
        self._budget = budget
        self._home = home

    def list_refs(self) -> bytes:
        return self._run(self._home, None)

    def fetch(self, repository: str, oids: Sequence[str], refs: Refs, *, without_blobs: bool) -> None:
        del without_blobs  # it cannot
        wanted = set(oids)
        leading = {name.removesuffix("^{}") for name, oid in refs().items() if oid in wanted}
        behind_no_tip = wanted - set(refs().values())
        self._run(repository, _ref_names(refs()) if behind_no_tip else sorted(leading))

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        """Do nothing: `fetch` has brought them."""

    def fetch_history(self, repository: str, refs: Refs) -> None:
        self._run(repository, _ref_names(refs()))

    def list_objects(self, repository: str) -> bytes | None:
        """Return None: there is no git here to list them."""

    def _run(self, repository: str, refs: Sequence[str] | None) -> bytes:
        """Return the list of refs; nothing after fetching `refs`."""
        order = {
            "address": self._budget.address.text,
            "repository": repository,
            "refs": refs,
            "certificates": self._certificates,
        }
        with self._budget.spend(repository) as bounds:
            completed = run(
                (sys.executable, "-I", "-m", "agent_sync.adapters.git.library_process"),
                bounds,
                environment=self._environment,
                directory=repository,
                stdin=json.dumps(order).encode("ascii"),
            )
        self._budget.refuse_too_large(repository, completed)
        if completed.exit_code:
            raise transfer_failed(self._budget.address, completed.stderr, repository)
        return completed.output


def _ref_names(refs: Mapping[str, str]) -> list[str]:
    known = set(branches_and_tags(refs))
    return sorted(name for name, oid in refs.items() if oid in known and not name.endswith("^{}"))
