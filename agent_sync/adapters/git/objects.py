"""Parse commits, trees, blobs and tags, exactly, whatever has read them from the object database.

Trees are taken apart here because what a hostile one holds must be seen as it is (CVE-2014-9390).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from agent_sync.errors import LimitExceeded, NetworkError, UnsafePath, Untrusted
from agent_sync.ports import GitCommit, GitEntry, SignedObject
from agent_sync_oci.text import quoted

ObjectType = Literal["commit", "tree", "blob", "tag"]
_TYPES: dict[str, ObjectType] = {"commit": "commit", "tree": "tree", "blob": "blob", "tag": "tag"}

_DIRECTORY = 0o40000
_MAX_PATH_BYTES = 4096
_MAX_LINES = 1_000_000  # a few trees that hold each other ten times over list more files than there are atoms
_MAX_TAGS_OF_TAGS = 16
_ENTRY = re.compile(rb"([0-7]{1,7}) ([^\0/]+)\0(.{20})", re.DOTALL)
_TREE_OF_COMMIT = re.compile(rb"tree ([0-9a-f]{40})\n")
_OBJECT_OF_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tag)\n")
_SIGNATURE = re.compile(rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)
_DAMAGED = "the repository is damaged: report this to its owner"
_SIGNED_HEADER = re.compile(rb"^gpgsig(?:-sha256)? .*\n(?: .*\n)*", re.MULTILINE)


class ObjectDatabase(Protocol):
    """The objects of one repository as they are now; whatever cannot be read counts as absent."""

    def __contains__(self, oid: object) -> bool: ...

    def read(self, oid: str) -> tuple[ObjectType, bytes] | None:
        """Return type and content."""
        ...

    def size(self, oid: str) -> int | None:
        """Return the length of the content in bytes."""
        ...

    def commits(self) -> Iterator[str]:
        """Yield the id of every commit, in no order."""
        ...


class ListedObjects:
    """All objects of a small repository, as `git cat-file --batch-all-objects --batch` prints them.

    One process and no library: loading libgit2 takes as long as an update of a hundred files.
    """

    def __init__(self, listing: bytes) -> None:
        """Raise ValueError if this is no such listing."""
        self._objects: dict[str, tuple[ObjectType, bytes]] = {}
        start = 0
        while start < len(listing):
            end = listing.index(b"\n", start)
            oid, kind, size = listing[start:end].decode("ascii").split(" ")
            start = end + 1 + int(size)
            self._objects[oid] = (_TYPES[kind], listing[end + 1 : start])
            start += 1  # the line feed behind the content

    def __contains__(self, oid: object) -> bool:
        return oid in self._objects

    def read(self, oid: str) -> tuple[ObjectType, bytes] | None:
        return self._objects.get(oid)

    def size(self, oid: str) -> int | None:
        found = self._objects.get(oid)
        return None if found is None else len(found[1])

    def commits(self) -> Iterator[str]:
        return (oid for oid, (kind, _) in self._objects.items() if kind == "commit")


class Objects:
    """The objects that have been fetched into one repository; `subject` names where they came from.

    `open_database` opens what is there when it is called; that is done again after each transfer.
    """

    def __init__(self, open_database: Callable[[], ObjectDatabase], *, subject: str) -> None:
        self._open_database = open_database
        self._opened: ObjectDatabase | None = None
        self._subject = subject

    def refresh(self) -> None:
        """Make what was fetched meanwhile visible."""
        self._opened = None

    def __contains__(self, oid: object) -> bool:
        return oid in self._database

    @property
    def _database(self) -> ObjectDatabase:
        if self._opened is None:
            self._opened = self._open_database()
        return self._opened

    def commits_beginning_with(self, short: str) -> list[str]:
        """Return every commit here whose id begins with these digits, in order."""
        return sorted(oid for oid in self._database.commits() if oid.startswith(short))

    def commit(self, oid: str) -> GitCommit:
        """Return the commit that `oid` leads to. NetworkError if it leads to none."""
        for _ in range(_MAX_TAGS_OF_TAGS):
            kind, content = self._read(oid)
            if kind == "commit" and (tree := _TREE_OF_COMMIT.match(content)) is not None:
                return GitCommit(oid, tree[1].decode())
            if kind != "tag" or (target := _OBJECT_OF_TAG.match(content)) is None:
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
        size = self._database.size(oid)
        if size is None:
            raise self._absent(oid)
        return size

    def blob(self, oid: str) -> bytes:
        """Return its content, exactly as stored."""
        return self._read(oid, "blob")[1]

    def signed(self, oid: str) -> SignedObject:
        """Return what was signed, and the signature over it, as git puts them together (gitformat-signature(5))."""
        kind, content = self._read(oid)
        return _signed_tag(content) if kind == "tag" else self._signed_commit(oid, content)

    def _signed_commit(self, oid: str, content: bytes) -> SignedObject:
        headers, blank, message = content.partition(b"\n\n")
        headers += b"\n" if blank else b""
        found = [header for header in _SIGNED_HEADER.findall(headers) if header.startswith(b"gpgsig ")]
        if len(found) > 1:
            where = f"{self._subject}, commit {oid}"
            raise Untrusted(subject=where, check="has more than one signature", remedy="sign it again, once")
        payload = _SIGNED_HEADER.sub(b"", headers) + (blank[1:] + message)
        return SignedObject(payload, _unfolded(found[0]) if found else None)

    def _lines(self, oid: str, directory: bytes) -> dict[bytes, tuple[int, str]]:
        """Return one tree, name -> mode and id. Every byte of it is accounted for."""
        _, content = self._read(oid, "tree")
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
        return UnsafePath(
            subject=self._subject,
            check=f"the directory {where} {what}",
            remedy="report this to the repository's owner",
        )

    def _read(self, oid: str, wanted: ObjectType | None = None) -> tuple[ObjectType, bytes]:
        found = self._database.read(oid)
        if found is None:
            raise self._absent(oid)
        if wanted is not None and found[0] != wanted:
            raise NetworkError(subject=self._subject, check=f"object {oid} is no {wanted}", remedy=_DAMAGED)
        return found

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
