"""Read commits, trees, blobs, and tags from a directory of git objects, exactly, under nobody's configuration.

libgit2 finds and inflates objects; its repositories would read their user's settings, its object databases do
not. Trees are taken apart by ourselves because what a hostile one holds must be seen as it is (CVE-2014-9390).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pygit2
from pygit2.enums import ObjectType

from agent_sync.adapters.os_errors import translated
from agent_sync.errors import LimitExceeded, NetworkError, UnsafePath, Untrusted
from agent_sync.ports import GitCommit, GitEntry, SignedObject
from agent_sync_oci.text import quoted

_DIRECTORY = 0o40000

_UNREADABLE = (KeyError, ValueError, pygit2.GitError)
Found = TypeVar("Found")

_MAX_PATH_BYTES = 4096
_MAX_LINES = 1_000_000  # a few trees that hold each other ten times over list more files than there are atoms
_MAX_TAGS_OF_TAGS = 16
_ENTRY = re.compile(rb"([0-7]{1,7}) ([^\0/]+)\0(.{20})", re.DOTALL)
_TREE_OF_COMMIT = re.compile(rb"tree ([0-9a-f]{40})\n")
_OBJECT_OF_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tag)\n")
_SIGNATURE = re.compile(rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)
_DAMAGED = "the repository is damaged: tell its owner"
_SIGNED_HEADER = re.compile(rb"^gpgsig(?:-sha256)? .*\n(?: .*\n)*", re.MULTILINE)


class Objects:
    """The objects of the repository in `directory`; `subject` names where they came from.

    Raises, from every method: NetworkError (missing or damaged objects), FileSystemError (the disk).
    """

    def __init__(self, directory: str, *, subject: str) -> None:
        self._path = f"{directory}/objects"
        self._subject = subject
        # Packs are read past the database, which hashes every object that it returns: whoever wrote the pack's index,
        # here and a moment ago, has found each id by hashing. This halves the time of reading.
        with self._disk():
            self._packs = pygit2.OdbBackendPack(self._path)
            self._loose = pygit2.OdbBackendLoose(self._path, -1, False)  # noqa: FBT003  # it takes no keywords
            self._database = pygit2.Odb(self._path)

    def refresh(self) -> None:
        """See what was fetched meanwhile."""
        with self._disk():
            self._packs.refresh()

    def __contains__(self, oid: object) -> bool:
        # Not the database: it looks on the disk anew for each object that it does not have.
        with self._disk():
            return isinstance(oid, str) and (self._packs.exists(oid) or self._loose.exists(oid))

    def commits_beginning_with(self, short: str) -> list[str]:
        """Return the id of every commit here that begins with these digits, in order."""
        with self._disk():
            names = sorted(name for oid in self._database if (name := str(oid)).startswith(short))
            return [name for name in names if self._database.read_header(name)[0] == ObjectType.COMMIT]

    def commit(self, oid: str) -> GitCommit:
        """Return the commit that `oid` leads to. Raise NetworkError if it leads to none."""
        for _ in range(_MAX_TAGS_OF_TAGS):
            kind, content = self._read(oid)
            if kind == ObjectType.COMMIT and (tree := _TREE_OF_COMMIT.match(content)) is not None:
                return GitCommit(oid, tree[1].decode())
            if kind != ObjectType.TAG or (target := _OBJECT_OF_TAG.match(content)) is None:
                break
            oid = target[1].decode()
        raise NetworkError(subject=self._subject, check=f"object {oid} is not a commit", remedy="choose another ref")

    def entries(self, tree: str, *, into: Callable[[bytes], bool]) -> Iterator[GitEntry]:
        """Yield every file, link, and submodule below `tree`, by directory, except where `into` returns false.

        Raises: UnsafePath (a name that is empty, double or has a slash; a path of over 4,096 bytes), LimitExceeded.
        """
        open_trees = [(b"", tree)]
        lines = 0
        while open_trees:
            directory, oid = open_trees.pop()
            found = self._lines(oid, directory)
            lines += len(found) + 1
            if lines > _MAX_LINES:
                check = f"the trees list more than {_MAX_LINES} entries"
                raise LimitExceeded(subject=self._subject, check=check, remedy="choose a smaller repository")
            for name, (mode, below) in found.items():
                if mode != _DIRECTORY:
                    yield GitEntry(directory + name, mode, below)
                elif into(directory + name):
                    open_trees.append((directory + name + b"/", below))

    def blob_size(self, oid: str) -> int:
        """Return its length in bytes."""
        return self._found(oid, self._packs.read_header, self._database.read_header)[1]

    def blob(self, oid: str) -> bytes:
        """Return its content, exactly as stored."""
        return self._read(oid, ObjectType.BLOB)[1]

    def signed(self, oid: str) -> SignedObject:
        """Return what was signed, and the signature over it, as git puts them together (gitformat-signature(5))."""
        kind, content = self._read(oid)
        return _signed_tag(content) if kind == ObjectType.TAG else self._signed_commit(oid, content)

    def _signed_commit(self, oid: str, content: bytes) -> SignedObject:
        headers, blank, message = content.partition(b"\n\n")
        headers += b"\n" if blank else b""
        found = [header for header in _SIGNED_HEADER.findall(headers) if header.startswith(b"gpgsig ")]
        if len(found) > 1:
            where = f"{self._subject}, commit {oid}"
            raise Untrusted(subject=where, check="has more than one signature", remedy="sign it anew, once")
        payload = _SIGNED_HEADER.sub(b"", headers) + (blank[1:] + message)
        return SignedObject(payload, _unfolded(found[0]) if found else None)

    def _lines(self, oid: str, directory: bytes) -> dict[bytes, tuple[int, str]]:
        """Return one tree, name -> mode and id. Every byte of it is accounted for."""
        _, content = self._read(oid, ObjectType.TREE)
        found: list[tuple[bytes, bytes, bytes]] = _ENTRY.findall(content)
        lines = {name: (_plain_mode(int(mode, 8)), oid.hex()) for mode, name, oid in found}
        understood = sum(len(mode) + len(name) for mode, name, _ in found) + 22 * len(found)
        if understood != len(content) or len(lines) != len(found):
            raise self._unsafe(directory, "has a name twice, an empty one, or one with a slash in it")
        if any(len(directory) + len(name) > _MAX_PATH_BYTES for name in lines):
            raise self._unsafe(directory, f"has a path of more than {_MAX_PATH_BYTES} bytes")
        return lines

    def _unsafe(self, directory: bytes, what: str) -> UnsafePath:
        where = quoted(directory.decode("utf-8", "backslashreplace"))
        return UnsafePath(subject=self._subject, check=f"the directory {where} {what}", remedy="tell its owner")

    def _read(self, oid: str, wanted: ObjectType | None = None) -> tuple[int, bytes]:
        kind, content = self._found(oid, self._packs.read, self._database.read)
        if wanted is not None and kind != wanted:
            check = f"object {oid} is no {wanted.name.lower()}"
            raise NetworkError(subject=self._subject, check=check, remedy=_DAMAGED)
        return kind, content

    def _found(self, oid: str, packed: Callable[[str], Found], anywhere: Callable[[str], Found]) -> Found:
        """Read from the packs, or else from the database: a server without git's protocol gives out single objects."""
        with self._disk():
            try:
                return packed(oid)
            except _UNREADABLE:
                pass
            try:
                return anywhere(oid)
            except _UNREADABLE as error:
                raise self._absent(oid) from error

    def _disk(self) -> AbstractContextManager[None]:
        """Report what the system refuses libgit2, which raises OSError without a file name."""
        return translated("read", self._path)

    def _absent(self, oid: str) -> NetworkError:
        return NetworkError(subject=self._subject, check=f"the remote did not send object {oid}", remedy=_DAMAGED)


def _plain_mode(mode: int) -> int:
    """Return the mode as git reads it today; of a file, old versions wrote other bits too."""
    if mode & 0o170000 == 0o100000:
        return 0o100755 if mode & 0o100 else 0o100644
    return mode


def _signed_tag(content: bytes) -> SignedObject:
    """Split a tag: the signature is the last thing in it that begins like one; what is before it was signed."""
    starts = [found.start() for found in _SIGNATURE.finditer(content)]
    return SignedObject(content[: starts[-1]], content[starts[-1] :]) if starts else SignedObject(content, None)


def _unfolded(header: bytes) -> bytes:
    """Return the value of a commit header: its continuation lines begin with one space."""
    return header.partition(b" ")[2].replace(b"\n ", b"\n")
