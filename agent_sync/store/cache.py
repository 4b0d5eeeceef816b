"""The cache as its user maintains it (`agent-sync cache`), and the reclaiming of its space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_sync.errors import BlobCorrupt, BytesUnavailable
from agent_sync.events import Observer, ignore
from agent_sync.ports import Cancellation, Clock
from agent_sync.ports.files import sweep
from agent_sync.store.blobs import CORRUPT, DiskBlobs, read_blob
from agent_sync.store.directory import (
    BUNDLES,
    CACHED_ARTIFACTS,
    CacheDirectory,
    DiskRecords,
    DiskRoots,
    OpenDirectory,
    Root,
    digests_in,
    sweep_staging,
)
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.store.audit import Audit, StoredBlob

KEEP_DAYS = 90

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What went and what stayed: blobs, the bytes that the gone ones had, and the locks that keep nothing any more."""

    removed: tuple[Digest, ...]
    kept: tuple[Digest, ...]
    freed_bytes: int
    forgotten: tuple[Root, ...]


@dataclass(frozen=True)
class Cache:
    """The cache of one user. Raises AgentSyncErrors only.

    `blobs`, `roots`, `records` and `directory.scratch` implement the four ports of these names. `wait_s` is how long
    `gc` waits for other processes that use the cache.
    """

    directory: CacheDirectory
    blobs: DiskBlobs
    roots: DiskRoots
    records: DiskRecords
    clock: Clock
    observer: Observer = ignore
    cancellation: Cancellation = field(default_factory=Cancellation)
    wait_s: float = 10.0

    # Listing and verifying read locks, which loads their model; a run that only uses the cache does without.

    def list(self) -> tuple[StoredBlob, ...]:
        """Return every blob with its length in bytes and who needs it, sorted by digest."""
        from agent_sync.store.audit import list_blobs

        return list_blobs(self)

    def verify(self) -> Audit:
        """Hash every blob, and compare it with all that known locks say of it; set corrupt ones aside."""
        from agent_sync.store.audit import audit

        return audit(self)

    def gc(self, *, keep_days: int = KEEP_DAYS) -> Reclaimed:
        """Remove every blob that no lock seen in the last `keep_days` days mentions, and what is unfinished or corrupt.

        Raises:
            ProjectBusy: another process still uses the cache after `wait_s`.
            FileSystemError: the cache cannot be written.
        """
        with self.directory.exclusive(wait_s=self.wait_s) as directory:
            forgotten = self._forget_roots_before(self.clock.now_s() - keep_days * _DAY_S)
            needed = self._needed_by_locks()
            needed |= self._needed_by_bundles(needed)
            removed: list[Digest] = []
            kept: list[Digest] = []
            freed_bytes = 0
            for digest in self.blobs.digests():
                if digest in needed:
                    kept.append(digest)
                    continue
                freed_bytes += self.blobs.size(digest) or 0
                self.blobs.remove(digest)
                removed.append(digest)
            self._forget_artifacts_without(needed)
            for name in directory.names(CORRUPT):
                sweep(join(CORRUPT, RelPath(name)), directory=directory)
            sweep_staging(directory)
        return Reclaimed(tuple(removed), tuple(kept), freed_bytes, forgotten)

    def _forget_roots_before(self, oldest_s: float) -> tuple[Root, ...]:
        old = tuple(root for root in self.roots.all() if root.seen_s < oldest_s)
        for root in old:
            self.roots.forget(root)
        return old

    def _needed_by_locks(self) -> set[Digest]:
        needed: set[Digest] = set()
        for lock in {root.lock for root in self.roots.all()}:
            try:
                needed |= digests_in(read_blob(lock, self.blobs))
            except BytesUnavailable:
                continue  # it was set aside: until the lock is served again, nobody can tell what it needs
            except BlobCorrupt:
                self.blobs.set_aside(lock)
                continue
            needed.add(lock)
        return needed

    def _needed_by_bundles(self, locks: set[Digest]) -> set[Digest]:
        """Return the parts of the bundles that brought these locks; forget the records of all other bundles."""
        needed: set[Digest] = set()
        for key, content in self.records.records(BUNDLES, ""):
            if Digest.from_hex(key[:64]) in locks:
                needed |= digests_in(content)
            else:
                self.records.forget(BUNDLES, key)
        return needed

    def _forget_artifacts_without(self, needed: set[Digest]) -> None:
        for key, _ in self.records.records(CACHED_ARTIFACTS, ""):
            if Digest.from_hex(key[:64]) not in needed:
                self.records.forget(CACHED_ARTIFACTS, key)


def cache_at(
    locate: Callable[[], str], open_directory: OpenDirectory, clock: Clock, *, observer: Observer = ignore
) -> Cache:
    """Return the cache in the directory that `locate` names, which is called on first use."""
    directory = CacheDirectory(locate, open_directory)
    blobs = DiskBlobs(directory)
    return Cache(directory, blobs, DiskRoots(directory, blobs, clock), DiskRecords(directory), clock, observer)
