"""Supply the cache with the bytes of a lock.

Each blob is looked up in the cache, in supplied directories (AGENT_SYNC_SOURCES), in the declared caches, and upstream.
The lock's digests decide; no location is trusted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agent_sync.config import request_for
from agent_sync.errors import AgentSyncError, BytesUnavailable, DigestMismatch, PartialFailure
from agent_sync.limits import Limits
from agent_sync.lock import Lock, LockedSource
from agent_sync.plan.derive import derive
from agent_sync.ports import BlobStore, Kind, World
from agent_sync.sources.base import Context, Request
from agent_sync.sources.content import Content, PackedTree, SingleFile
from agent_sync.sources.local import find_files, pack_directory
from agent_sync.store.contents import Contents
from agent_sync.store.verify import is_whole
from agent_sync.tree import Change, RelPath, Sha256, Tree, describe_changes
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config import Config

_REMEDY = "supply the tree that this lock pins"


def source_context(world: World) -> Context:
    """Return the ports that source types use."""

    def whole(digest: Digest) -> bool:
        return is_whole(digest, world.store, observer=world.observer)

    return Context(world, open_contents=partial(_open_contents, world.store), is_whole=whole)


class Supplier:
    """The supplier of one run of one verb.

    Without a configuration (`--frozen`) sources are fetched by what the lock records, and nothing that a transform
    derived can be derived again.

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
        self._found: dict[str, Content] = {}

    def sources(self, sources: Iterable[LockedSource]) -> None:
        """Supply the files of these sources, before any transform.

        Raises: BytesUnavailable (offline, or gone upstream), DigestMismatch, NetworkError, LimitExceeded, Untrusted.
        """
        missing = [source for source in sources if not self._is_here(source)]
        for source in missing:
            if source.name in self._supplied:
                self._found[source.name] = _from_supplied(source, self._supplied[source.name], self._world)
        self._ask_caches([source for source in missing if source.name not in self._found])
        wanted = [source for source in missing if source.name not in self._found and not self._is_here(source)]
        if wanted:
            self._found.update(self._refetch(wanted))

    def add_to(self, contents: Contents, sources: Iterable[LockedSource]) -> None:
        """Supply these sources and make their files readable in `contents`; raises what `sources` raises."""
        wanted = list(sources)
        self.sources(wanted)
        for source in wanted:
            contents.add_source(source, found=self._found.get(source.name))

    def derived(self, lock: Lock) -> None:
        """Supply what transforms and overrides derived.

        Raises: what `sources` raises; DigestMismatch if a second run derives other bytes than the lock records.
        """
        self._supply_derived(_derived_trees(lock), lock)

    def contents(self, lock: Lock, wanted: Iterable[Sha256]) -> Contents:
        """Supply the files with these digests, and return what they are read from.

        Raises: what `sources` raises; DigestMismatch if a second run derives other bytes than the lock records.
        """
        contents = Contents(self._world.store)
        left = set(wanted)
        derived = [packed for packed in _derived_trees(lock) if left & _digests(packed.files)]
        self._supply_derived(derived, lock)
        for packed in derived:
            contents.add_tree(packed)
            left -= _digests(packed.files)
        self.add_to(contents, [source for source in lock.sources if left & _digests(source.tree)])
        return contents

    def _refetch(self, sources: Sequence[LockedSource]) -> Mapping[str, Content]:
        from agent_sync.sources.dispatch import refetch

        outcomes = refetch(list(map(self._request, sources)), source_context(self._world))
        failures = {
            name: each if self._config is None else self._config.located(name, each)
            for name, each in outcomes.items()
            if isinstance(each, AgentSyncError)
        }
        if len(failures) == 1:
            raise next(iter(failures.values()))
        if failures:
            raise PartialFailure(failures, succeeded=0)
        return {name: each for name, each in outcomes.items() if not isinstance(each, AgentSyncError)}

    def _request(self, source: LockedSource) -> Request[Any, Any]:
        """Return what the configuration declares of the source, if it does, else what the lock records."""
        if self._config is not None:
            for declared in self._config.sources:
                if declared.name == source.name and declared.type == source.declaration.type:
                    return request_for(declared, self._config, source)
        return Request(source.name, None, self._demands.limits, self._demands.security, locked=source)

    def _is_here(self, source: LockedSource) -> bool:
        found = self._found.get(source.name)
        return self._has(source.pin.content if found is None or found.blob is None else found)

    def _has(self, content: Content) -> bool:
        return content.blob is not None and self._world.store.size(content.blob) is not None

    def _supply_derived(self, trees: Iterable[PackedTree], lock: Lock) -> None:
        """Supply these trees: from supplied directories, from a cache, or derived again, all together."""
        wanted = list(trees)
        for packed in wanted:
            directory = self._supplied.get(packed.nar_hash or "")
            if directory is not None and not self._has(packed):
                _read_tree(packed.files, directory, self._world, what="what transforms or overrides derived")
        if not all(map(self._has, wanted)):
            self._ask_caches(lock)
        if not all(map(self._has, wanted)):
            self._derive_again(lock)

    def _ask_caches(self, wanting: Iterable[LockedSource] | Lock) -> None:
        """Ask the configured caches for the files of sources, or for what the lock derives from them."""
        if self._config is not None and self._config.caches:
            from agent_sync.bundle.items import derived_items, item_of
            from agent_sync.bundle.registry import fetch_from_caches

            items = derived_items(wanting) if isinstance(wanting, Lock) else map(item_of, wanting)
            wanted = [item for item in items if item is not None]
            fetch_from_caches(wanted, self._config.caches, self._world, limits=self._demands.limits)

    def _derive_again(self, lock: Lock) -> None:
        """Derive again what transforms and overrides derived, and check that it is as locked."""
        if self._config is None:
            raise BytesUnavailable(
                subject="agent-sync.lock",
                check="derived files are not cached, and --frozen cannot derive them",
                remedy="run `agent-sync sync` without --frozen once, or copy the cache here",
            )
        bare = replace(lock, sources=tuple(replace(each, transformed=None) for each in lock.sources), rendered=None)
        again = derive(bare, self._config, self._world, supply=self)
        for before, after in zip(lock.sources, again.sources, strict=True):
            if before.transformed != after.transformed:
                raise _not_reproduced(f"source {before.name}, transforms", before.result.changes_to(after.result))
        if lock.rendered != again.rendered:
            raise _not_reproduced("overrides", lock.overridden.changes_to(again.overridden))


def _derived_trees(lock: Lock) -> list[PackedTree]:
    """Return what transforms and overrides derived: the overrides' files first, since they replace others."""
    made = [each.transformed.packed for each in lock.sources if each.transformed and each.transformed.packed]
    return made if lock.rendered is None else [lock.rendered.packed, *made]


def _digests(files: Tree) -> set[Sha256]:
    return {entry.sha256 for entry in files.values()}


def _not_reproduced(subject: str, changes: Sequence[Change]) -> DigestMismatch:
    listed = f": {describe_changes(changes)}" if changes else ""
    return DigestMismatch(
        subject=subject,
        check=f"a second run does not produce what the lock records{listed}",
        remedy="a transform must depend on nothing but its input; to record its current output: agent-sync update",
    )


def _from_supplied(source: LockedSource, path: str, world: World) -> Content:
    """Read the source's files from the directory `path`; of a single file, `path` may be the file itself.

    Raises: DigestMismatch unless they are exactly what is locked.
    """
    what, content = f"source {source.name}", source.pin.content
    if isinstance(content, SingleFile):
        directory, name = posixpath.split(path)
        stat = world.at(directory).stat(RelPath(name)) if name else None
        if stat is not None and stat.kind is Kind.FILE:
            return _read_file(content, directory, RelPath(name), world, what=what)
    return _read_tree(source.tree, path, world, what=what)


def _read_tree(tree: Tree, directory: str, world: World, *, what: str) -> PackedTree:
    """Read any tree of a lock; `what` says which, for messages."""
    subject, supplied = _subject(what, directory), world.at(directory)
    packed = pack_directory(supplied, find_files(supplied, subject=subject, limits=Limits()), world, subject=subject)
    changes = tree.changes_to(packed.files)
    if changes:
        check = f"the supplied files differ from the lock: {describe_changes(changes)}"
        raise DigestMismatch(subject=subject, check=check, remedy=_REMEDY)
    return packed


def _read_file(content: SingleFile, directory: str, name: RelPath, world: World, *, what: str) -> SingleFile:
    with world.store.writer() as writer:
        for chunk in world.at(directory).chunks(name):
            world.cancellation.check()
            writer.write(chunk)
        try:
            writer.commit(content.blob)
        except DigestMismatch as error:
            subject = _subject(what, posixpath.join(directory, name))
            raise DigestMismatch(subject=subject, check=error.check, remedy=_REMEDY) from error
    return content


def _subject(what: str, path: str) -> str:
    return f"{what}, supplied in {quoted(path)}"


@contextmanager
def _open_contents(store: BlobStore, packed: PackedTree) -> Iterator[Contents]:
    with Contents(store) as contents:
        contents.add_tree(packed)
        yield contents
