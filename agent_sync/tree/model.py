"""Entry and Tree: what a file is, and what a set of files is."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import NamedTuple, NewType

from agent_sync.tree.names import RelPath
from agent_sync_oci.text import quoted

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits: the digest of a file's bytes."""


class Entry(NamedTuple):
    """What a file is, wherever it is: the digest of its bytes and its executable bit."""

    sha256: Sha256
    executable: bool = False


class Change(NamedTuple):
    """One path at which two trees differ; `None` stands for absent."""

    path: RelPath
    before: Entry | None
    after: Entry | None


class Tree(Mapping[RelPath, Entry]):
    """An immutable map from path to entry, iterated component by component in byte order (the order of a NAR)."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[RelPath, Entry] | Iterable[tuple[RelPath, Entry]] = ()) -> None:
        given = dict(entries)
        ordered = sorted_paths(given)
        # Nearly always in order already: the second dictionary is spared.
        self._entries = given if ordered == list(given) else {path: given[path] for path in ordered}

    @classmethod
    def in_order(cls, entries: dict[RelPath, Entry]) -> Tree:
        """Return the tree of entries that are known to be in order already; the caller gives the dictionary away."""
        tree = cls.__new__(cls)
        tree._entries = entries
        return tree

    def __getitem__(self, path: RelPath) -> Entry:
        return self._entries[path]

    def __iter__(self) -> Iterator[RelPath]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def keys(self) -> KeysView[RelPath]:
        return self._entries.keys()

    def values(self) -> ValuesView[Entry]:
        return self._entries.values()

    def items(self) -> ItemsView[RelPath, Entry]:
        return self._entries.items()

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, Tree) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._entries.items()))

    def __repr__(self) -> str:
        return f"Tree({len(self)} files)"

    def without(self, paths: Iterable[RelPath]) -> Tree:
        """Return this tree less some paths."""
        gone = frozenset(paths)
        return Tree.in_order({path: entry for path, entry in self._entries.items() if path not in gone})

    def overlaid_by(self, other: Mapping[RelPath, Entry]) -> Tree:
        """Return this tree, with `other`'s entry wherever both have the path."""
        return Tree({**self._entries, **other}) if other else self

    def changes_to(self, after: Mapping[RelPath, Entry]) -> tuple[Change, ...]:
        """Return every path at which `after` differs from this tree, in order."""
        # One comparison in C; the usual case has no difference.
        if self == after:
            return ()
        before = self._entries
        changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
        return tuple(Change(path, before.get(path), after.get(path)) for path in sorted_paths(changed))


def sorted_paths(paths: Iterable[RelPath]) -> list[RelPath]:
    """Return paths in the order of a NAR: names compared by their bytes, one directory level after the other."""
    # No name holds a control character, so U+0000 for "/" makes one string comparison do; code points sort as UTF-8
    # does.
    return sorted(paths, key=lambda path: path.replace("/", "\0"))


_MOST_NAMED = 3


def describe_changes(changes: Sequence[Change]) -> str:
    """Return what a message says of a difference: the first three files, each with what happened to it."""
    named = ", ".join(f"{_verb(change)} {quoted(change.path)}" for change in changes[:_MOST_NAMED])
    return f"{named} and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else named


def _verb(change: Change) -> str:
    if change.before is None:
        return "added"
    if change.after is None:
        return "removed"
    return "changed" if change.before.sha256 != change.after.sha256 else "changed the executable bit of"
