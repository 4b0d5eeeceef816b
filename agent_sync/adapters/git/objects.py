"""Commits, trees, blobs and tags out of a directory of git objects: parsed here, exactly, under nobody's configuration.

libgit2 finds and inflates objects; its repositories would read their user's settings, its object databases do
not. Trees are taken apart by ourselves because what a hostile one holds must be seen as it is (CVE-2014-9390).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import pygit2
from pygit2.enums import ObjectType

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
    """The objects in the directory `objects` of a repository; `subject` names where they came from."""

    def __init__(self, directory: str, *, subject: str) -> None:
        # Packs are read past the database, which hashes every object that it hands out: whoever wrote the pack's index,
        # here and a moment ago, has found each id by hashing. It halves the time of reading.
        self._packs = pygit2.OdbBackendPack(f"{directory}/objects")
        self._loose = pygit2.OdbBackendLoose(f"{directory}/objects", -1, False)  # noqa: FBT003  # it takes no keywords
        self._database = pygit2.Odb(f"{directory}/objects")
        self._subject = subject

    def refresh(self) -> None:
        """What was fetched meanwhile is seen from now on."""
        self._packs.refresh()

    def __contains__(self, oid: object) -> bool:
        # Not the database: of each object that it does not have it looks whether that came meanwhile.
        return isinstance(oid, str) and (self._packs.exists(oid) or self._loose.exists(oid))

    def commits_beginning_with(self, short: str) -> list[str]:
        """Every commit here whose id begins with these digits, in order."""
        names = sorted(name for oid in self._database if (name := str(oid)).startswith(short))
        return [name for name in names if self._database.read_header(name)[0] == ObjectType.COMMIT]

    def commit(self, oid: str) -> GitCommit:
        """The commit that `oid` leads to. NetworkError if it leads to none."""
        for _ in range(_MAX_TAGS_OF_TAGS):
            kind, content = self._read(oid)
            if kind == ObjectType.COMMIT and (tree := _TREE_OF_COMMIT.match(content)) is not None:
                return GitCommit(oid, tree[1].decode())
            if kind != ObjectType.TAG or (target := _OBJECT_OF_TAG.match(content)) is None:
                break
            oid = target[1].decode()
        raise NetworkError(subject=self._subject, check=f"object {oid} is no commit", remedy="choose another ref")

    def entries(self, tree: str, *, into: Callable[[bytes], bool]) -> Iterator[GitEntry]:
        """Every file, link and submodule below `tree`, directory by directory; but for those of which `into` says no.

        Raises: UnsafePath (a name that is empty, double or has a slash; a path of over 4,096 bytes), LimitExceeded.
        """
        open_trees = [(b"", tree)]
        lines = 0
        while open_trees:
            directory, oid = open_trees.pop()
            found = self._lines(oid, directory)
            lines += len(found) + 1
            if lines > _MAX_LINES:
                check = f"its trees list more than {_MAX_LINES} entries"
                raise LimitExceeded(subject=self._subject, check=check, remedy="choose a smaller repository")
            for name, (mode, below) in found.items():
                if mode != _DIRECTORY:
                    yield GitEntry(directory + name, mode, below)
                elif into(directory + name):
                    open_trees.append((directory + name + b"/", below))

    def blob_size(self, oid: str) -> int:
        """Its length in bytes."""
        return self._found(oid, self._packs.read_header, self._database.read_header)[1]

    def blob(self, oid: str) -> bytes:
        """Its content, exactly as stored."""
        return self._read(oid, ObjectType.BLOB)[1]

    def signed(self, oid: str) -> SignedObject:
        """What was signed, and the signature over it, as git puts them together (gitformat-signature(5))."""
        kind, content = self._read(oid)
        return _signed_tag(content) if kind == ObjectType.TAG else self._signed_commit(oid, content)

    def _signed_commit(self, oid: str, content: bytes) -> SignedObject:
        headers, blank, message = content.partition(b"\n\n")
        headers += b"\n" if blank else b""
        found = [header for header in _SIGNED_HEADER.findall(headers) if header.startswith(b"gpgsig ")]
        if len(found) > 1:
            where = f"{self._subject}, commit {oid}"
            raise Untrusted(subject=where, check="it has more than one signature", remedy="sign it anew, once")
        payload = _SIGNED_HEADER.sub(b"", headers) + (blank[1:] + message)
        return SignedObject(payload, _unfolded(found[0]) if found else None)

    def _lines(self, oid: str, directory: bytes) -> dict[bytes, tuple[int, str]]:
        """One tree: name -> mode and id. Every byte of it is accounted for."""
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
        """What the packs have, or else the database: a server that speaks no git protocol gives out single objects."""
        try:
            return packed(oid)
        except _UNREADABLE:
            pass
        try:
            return anywhere(oid)
        except _UNREADABLE as error:
            raise self._absent(oid) from error

    def _absent(self, oid: str) -> NetworkError:
        return NetworkError(subject=self._subject, check=f"the remote did not send object {oid}", remedy=_DAMAGED)


def _plain_mode(mode: int) -> int:
    """The mode as git reads it today; of a file, old versions wrote other bits too."""
    if mode & 0o170000 == 0o100000:
        return 0o100755 if mode & 0o100 else 0o100644
    return mode


def _signed_tag(content: bytes) -> SignedObject:
    """The signature is the last thing in a tag that begins like one; what stands before it was signed."""
    starts = [found.start() for found in _SIGNATURE.finditer(content)]
    return SignedObject(content[: starts[-1]], content[starts[-1] :]) if starts else SignedObject(content, None)


def _unfolded(header: bytes) -> bytes:
    """The value of a commit header: its continuation lines begin with one space."""
    return header.partition(b" ")[2].replace(b"\n ", b"\n")
