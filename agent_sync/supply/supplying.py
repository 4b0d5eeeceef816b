"""Supplier: makes sure that bytes of a lock are in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from agent_sync.bundle.items import Item, item_of, made_items
from agent_sync.errors import BytesUnavailable, ContentMismatch
from agent_sync.lock import Lock, LockedSource, PackedTree, UrlPin
from agent_sync.plan.deriving import derived
from agent_sync.store.contents import Contents
from agent_sync.supply.handed import from_handed, tree_from_folder
from agent_sync.supply.upstream import fetch_again
from agent_sync.tree import Sha256, Tree
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.ports import World


class Supplier:
    """Supplies one run of one verb. Without a configuration (`--frozen`) sources are fetched by what the lock records,
    and nothing that a transform made can be made again.

    `demands` has the limits and the security that hold in any case. `handed` says in which absolute folders trees lie:
    those of sources by name, what transforms and overrides made by narHash (AGENT_SYNC_SOURCES).
    """

    def __init__(
        self, world: World, config: Config | None, demands: Config, *, handed: Mapping[str, str] | None = None
    ) -> None:
        self._world = world
        self._config = config
        self._demands = demands
        self._handed = handed or {}
        self._packed: dict[str, PackedTree] = {}

    def sources(self, sources: Iterable[LockedSource]) -> None:
        """The files of these sources, before any transform, are in the store.

        Raises: BytesUnavailable (offline, or gone upstream), ContentMismatch, NetworkError, LimitExceeded, Untrusted.
        """
        missing = [source for source in sources if not self._is_here(source)]
        for source in missing:
            if source.name in self._handed:
                self._packed[source.name] = from_handed(source, self._handed[source.name], self._world)
        self._ask_caches(item_of(source) for source in missing if source.name not in self._packed)
        wanted = [source for source in missing if source.name not in self._packed and not self._is_here(source)]
        self._packed.update(fetch_again(wanted, self._config, self._demands, self._world))

    def add_to(self, contents: Contents, sources: Iterable[LockedSource]) -> None:
        """`contents` serves the files of these sources, before any transform; raises what `sources` raises."""
        wanted = list(sources)
        self.sources(wanted)
        for source in wanted:
            contents.add_source(source, packed=self._packed.get(source.name))

    def made(self, lock: Lock) -> None:
        """What transforms and overrides made is in the store.

        Raises: what `sources` raises; ContentMismatch if a transform run again makes other bytes than the lock records.
        """
        self._have(_made(lock), lock)

    def contents(self, lock: Lock, wanted: Iterable[Sha256]) -> Contents:
        """Where the files with these digests are read from; each one's blob is in the store.

        Raises: what `sources` raises; ContentMismatch if a transform run again makes other bytes than the lock records.
        """
        contents = Contents(self._world.store)
        left = set(wanted)
        made = [packed for packed in _made(lock) if left & _digests(packed.files)]
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
            folder = self._handed.get(packed.nar_hash or "")
            if folder is not None and not self._has(packed):
                tree_from_folder(packed.files, folder, self._world, what="what transforms or overrides made")
        if not all(map(self._has, wanted)):
            self._ask_caches(made_items(lock))
        if not all(map(self._has, wanted)):
            self._make_again(lock)

    def _ask_caches(self, items: Iterable[Item | None]) -> None:
        if self._config is not None and self._config.caches:
            from agent_sync.bundle.fetching import fetch_from_caches

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
        again = derived(bare, self._config, self._world, supply=self)
        for before, after in zip(lock.sources, again.sources, strict=True):
            _refuse_other(f"source {before.name}, its transforms", before.transformed, after.transformed)
        _refuse_other("the overrides", lock.rendered, again.rendered)


def _made(lock: Lock) -> list[PackedTree]:
    """What transforms and overrides made: the overrides' files first, since they lie over the others."""
    made = [each.transformed.packed for each in lock.sources if each.transformed and each.transformed.packed]
    return made if lock.rendered is None else [lock.rendered.packed, *made]


def _digests(files: Tree) -> set[Sha256]:
    return {entry.sha256 for entry in files.values()}


def _refuse_other(subject: str, recorded: object, made: object) -> None:
    if recorded != made:
        raise ContentMismatch(
            subject=subject,
            check="run again they make other bytes than the lock records",
            remedy="a transform must depend on nothing but its input; record what it makes now: agent-sync update",
        )
