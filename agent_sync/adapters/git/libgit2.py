"""Read objects by libgit2, for repositories that are large and for machines without the `git` command.

Its repositories would read their user's settings; its object databases do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pygit2
from pygit2.enums import ObjectType as Type

from agent_sync.adapters.descriptors import translated
from agent_sync.adapters.git.objects import ObjectType

_UNREADABLE = (KeyError, ValueError, pygit2.GitError)
_TYPES: dict[int, ObjectType] = {Type.COMMIT: "commit", Type.TREE: "tree", Type.BLOB: "blob", Type.TAG: "tag"}

Found = TypeVar("Found")


class Libgit2Objects:
    """An `ObjectDatabase` of the bare repository at a path."""

    def __init__(self, repository: str) -> None:
        # Packs are read past the database, which hashes every object that it hands out: whoever wrote the pack's index,
        # here and a moment ago, has found each id by hashing. It halves the time of reading.
        self._path = f"{repository}/objects"
        with self._disk():
            self._packs = pygit2.OdbBackendPack(self._path)
            self._loose = pygit2.OdbBackendLoose(self._path, -1, False)  # noqa: FBT003  # it takes no keywords
            self._database = pygit2.Odb(self._path)

    def __contains__(self, oid: object) -> bool:
        # Not the database: of each object that it does not have it looks whether that came meanwhile.
        with self._disk():
            return isinstance(oid, str) and (self._packs.exists(oid) or self._loose.exists(oid))

    def read(self, oid: str) -> tuple[ObjectType, bytes] | None:
        with self._disk():
            found = _first(oid, self._packs.read, self._database.read)
        return None if found is None else (_TYPES[found[0]], found[1])

    def size(self, oid: str) -> int | None:
        with self._disk():
            found = _first(oid, self._packs.read_header, self._database.read_header)
        return None if found is None else found[1]

    def commits(self) -> Iterator[str]:
        with self._disk():
            yield from (str(oid) for oid in self._database if self._database.read_header(oid)[0] == Type.COMMIT)

    def _disk(self) -> AbstractContextManager[None]:
        """Report what the system refuses libgit2, which raises OSError without a file name."""
        return translated("read", self._path)


def _first(oid: str, packed: Callable[[str], Found], anywhere: Callable[[str], Found]) -> Found | None:
    """Return what the packs have, or else the database: a server that speaks no git protocol sends single objects."""
    for read in (packed, anywhere):
        try:
            return read(oid)
        except _UNREADABLE:
            continue
    return None
