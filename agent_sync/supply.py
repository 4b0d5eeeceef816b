"""Supply the cache with the bytes of a lock.

Each blob is looked up in the cache, in supplied directories (AGENT_SYNC_SOURCES), in the declared caches, and upstream.
The lock's digests decide; no location is trusted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent_sync.bundle.items import Item, derived_items, item_of
from agent_sync.errors import BytesUnavailable, DigestMismatch
from agent_sync.limits import Limits
from agent_sync.lock import Lock, LockedSource, PackedTree, UrlPin
from agent_sync.plan.derive import derive
from agent_sync.ports import Kind, World
from agent_sync.sources.dispatch import refetch
from agent_sync.sources.local import find_files, pack_directory
from agent_sync.store.contents import Contents
from agent_sync.tree import Change, Entry, RelPath, Sha256, Tree, describe_changes
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config import Config


# -- Trees that somebody else laid out on the disk, taken only if they are what the lock says (AGENT_SYNC_SOURCES).

_REMEDY = "hand over the tree that this lock pins"


def from_supplied(source: LockedSource, path: str, world: World) -> PackedTree:
    """The source's tree, read from the directory `path`, is in the store; of a url, `path` may be the file itself.

    Raises: DigestMismatch if it is not exactly the locked tree.
    """
    what = f"source {source.name}"
    if isinstance(source.pin, UrlPin):
        directory, name = posixpath.split(path)
        stat = world.at(directory).stat(RelPath(name)) if name else None
        if stat is not None and stat.kind is Kind.FILE:
            return _from_file(source.pin, directory, RelPath(name), world, what=what)
    return tree_from_directory(source.tree, path, world, what=what)


def tree_from_directory(tree: Tree, directory: str, world: World, *, what: str) -> PackedTree:
    """The same for any tree of a lock; `what` says which, for messages."""
    subject = _subject(what, directory)
    place = world.at(directory)
    packed = pack_directory(place, find_files(place, subject=subject, limits=Limits()), world, subject=subject)
    changes = tree.changes_to(packed.files)
    if changes:
        check = f"the supplied files are not what the lock says: {describe_changes(changes)}"
        raise DigestMismatch(subject=subject, check=check, remedy=_REMEDY)
    return packed


def _from_file(pin: UrlPin, directory: str, name: RelPath, world: World, *, what: str) -> PackedTree:
    expected = Digest.from_hex(pin.sha256)
    with world.store.writer() as writer:
        for chunk in world.at(directory).chunks(name):
            world.cancellation.check()
            writer.write(chunk)
        try:
            writer.commit(expected)
        except DigestMismatch as error:
            subject = _subject(what, posixpath.join(directory, name))
            raise DigestMismatch(subject=subject, check=error.check, remedy=_REMEDY) from error
    return PackedTree(Tree({pin.key: Entry(pin.sha256)}))


def _subject(what: str, path: str) -> str:
    return f"{what}, handed over in {quoted(path)}"


# -- Supplier: makes sure that bytes of a lock are in the store.


class Supplier:
    """Supplies one run of one verb. Without a configuration (`--frozen`) sources are fetched by what the lock records,
    and nothing that a transform made can be made again.

    `demands` has the limits and the security that hold in any case. `supplied` says in which absolute directories trees
    lie: those of sources by name, what transforms and overrides made by narHash (AGENT_SYNC_SOURCES).
    """

    def __init__(
        self, world: World, config: Config | None, demands: Config, *, supplied: Mapping[str, str] | None = None
    ) -> None:
        self._world = world
        self._config = config
        self._demands = demands
        self._supplied = supplied or {}
        self._packed: dict[str, PackedTree] = {}

    def sources(self, sources: Iterable[LockedSource]) -> None:
        """The files of these sources, before any transform, are in the store.

        Raises: BytesUnavailable (offline, or gone upstream), DigestMismatch, NetworkError, LimitExceeded, Untrusted.
        """
        missing = [source for source in sources if not self._is_here(source)]
        for source in missing:
            if source.name in self._supplied:
                self._packed[source.name] = from_supplied(source, self._supplied[source.name], self._world)
        self._ask_caches(item_of(source) for source in missing if source.name not in self._packed)
        wanted = [source for source in missing if source.name not in self._packed and not self._is_here(source)]
        self._packed.update(refetch(wanted, self._config, self._demands, self._world))

    def add_to(self, contents: Contents, sources: Iterable[LockedSource]) -> None:
        """`contents` serves the files of these sources, before any transform; raises what `sources` raises."""
        wanted = list(sources)
        self.sources(wanted)
        for source in wanted:
            contents.add_source(source, packed=self._packed.get(source.name))

    def made(self, lock: Lock) -> None:
        """What transforms and overrides made is in the store.

        Raises: what `sources` raises; DigestMismatch if a transform run again makes other bytes than the lock records.
        """
        self._have(_derived_trees(lock), lock)

    def contents(self, lock: Lock, wanted: Iterable[Sha256]) -> Contents:
        """Where the files with these digests are read from; each one's blob is in the store.

        Raises: what `sources` raises; DigestMismatch if a transform run again makes other bytes than the lock records.
        """
        contents = Contents(self._world.store)
        left = set(wanted)
        made = [packed for packed in _derived_trees(lock) if left & _digests(packed.files)]
        self._have(made, lock)
        for packed in made:
            contents.add_tree(packed)
            left -= _digests(packed.files)
        self.add_to(contents, [source for source in lock.sources if left & _digests(source.tree)])
        return contents

    def _is_here(self, source: LockedSource) -> bool:
        packed = self._packed.get(source.name)
        if packed is not None and packed.blob is not None:
            return self._has(packed)
        if isinstance(source.pin, UrlPin):
            return self._world.store.size(Digest.from_hex(source.pin.sha256)) is not None
        return self._has(source.pin.packed)

    def _has(self, packed: PackedTree) -> bool:
        return packed.blob is not None and self._world.store.size(packed.blob) is not None

    def _have(self, made: Iterable[PackedTree], lock: Lock) -> None:
        """These are in the store: handed over, from a cache, or made again, all together."""
        wanted = list(made)
        for packed in wanted:
            directory = self._supplied.get(packed.nar_hash or "")
            if directory is not None and not self._has(packed):
                tree_from_directory(packed.files, directory, self._world, what="what transforms or overrides made")
        if not all(map(self._has, wanted)):
            self._ask_caches(derived_items(lock))
        if not all(map(self._has, wanted)):
            self._make_again(lock)

    def _ask_caches(self, items: Iterable[Item | None]) -> None:
        if self._config is not None and self._config.caches:
            from agent_sync.bundle.caches import fetch_from_caches

            wanted = [item for item in items if item is not None]
            fetch_from_caches(wanted, self._config.caches, self._world, limits=self._demands.limits)

    def _make_again(self, lock: Lock) -> None:
        """What transforms and overrides made is in the store again, and is what the lock says."""
        if self._config is None:
            raise BytesUnavailable(
                subject="agent-sync.lock",
                check="the store does not have what transforms or overrides made, and --frozen cannot make it again",
                remedy="run `agent-sync sync` without --frozen once, or take the store along",
            )
        bare = replace(lock, sources=tuple(replace(each, transformed=None) for each in lock.sources), rendered=None)
        again = derive(bare, self._config, self._world, supply=self)
        for before, after in zip(lock.sources, again.sources, strict=True):
            if before.transformed != after.transformed:
                raise _not_reproduced(f"source {before.name}, transforms", before.result.changes_to(after.result))
        if lock.rendered != again.rendered:
            raise _not_reproduced("overrides", _overridden_files(lock).changes_to(_overridden_files(again)))


def _derived_trees(lock: Lock) -> list[PackedTree]:
    """What transforms and overrides made: the overrides' files first, since they lie over the others."""
    made = [each.transformed.packed for each in lock.sources if each.transformed and each.transformed.packed]
    return made if lock.rendered is None else [lock.rendered.packed, *made]


def _digests(files: Tree) -> set[Sha256]:
    return {entry.sha256 for entry in files.values()}


def _overridden_files(lock: Lock) -> Tree:
    return Tree() if lock.rendered is None else lock.rendered.packed.files


def _not_reproduced(subject: str, changes: Sequence[Change]) -> DigestMismatch:
    named = f": {describe_changes(changes)}" if changes else ""
    return DigestMismatch(
        subject=subject,
        check=f"a second run does not make what the lock records{named}",
        remedy="a transform must depend on nothing but its input; record what it makes now: agent-sync update",
    )


# -- A lock's bytes into the store: what a plan needs goes in, a `Contents` that can serve every byte of it comes out.
# Each blob is looked for in the store, then in the directories that were handed over, then upstream, and whatever comes
# is judged by the lock's digests; nothing here trusts a place.

__all__ = ["Supplier"]
