"""Space that no lock needs any more, given back."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.errors import BlobCorrupt, BytesUnavailable
from agent_sync.store.blobs import whole_blob
from agent_sync.store.disk import DiskStore
from agent_sync.store.records import BUNDLES, CARRIERS
from agent_sync.store.roots import Root, mentioned
from agent_sync_oci.digest import Digest

KEEP_DAYS = 90
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What went and what stayed: blobs, the bytes that the gone ones had, and the locks that keep nothing any more."""

    removed: tuple[Digest, ...]
    kept: tuple[Digest, ...]
    freed_bytes: int
    forgotten: tuple[Root, ...]


def reclaim(store: DiskStore, *, now_s: float, keep_days: int = KEEP_DAYS, wait_s: float = 10.0) -> Reclaimed:
    """Gone is every blob that no lock seen in the last `keep_days` days mentions, and all that is unfinished or broken.

    Raises:
        ProjectBusy: another process still uses the store after `wait_s` seconds.
        FileFault: the store cannot be written.
    """
    with store.exclusive(wait_s=wait_s):
        forgotten = _forget_old(store, now_s - keep_days * _DAY_S)
        needed = _needed(store)
        needed |= _needed_by_bundles(store, needed)
        removed: list[Digest] = []
        kept: list[Digest] = []
        freed_bytes = 0
        for digest in store.digests():
            if digest in needed:
                kept.append(digest)
                continue
            freed_bytes += store.size(digest) or 0
            store.remove(digest)
            removed.append(digest)
        _forget_carriers(store, needed)
        store.clear()
    return Reclaimed(tuple(removed), tuple(kept), freed_bytes, forgotten)


def _forget_old(store: DiskStore, oldest_s: float) -> tuple[Root, ...]:
    old = tuple(root for root in store.roots() if root.seen_s < oldest_s)
    for root in old:
        store.forget(root)
    return old


def _needed(store: DiskStore) -> set[Digest]:
    needed: set[Digest] = set()
    for lock in {root.lock for root in store.roots()}:
        try:
            needed |= mentioned(whole_blob(lock, store))
        except BytesUnavailable:
            continue  # it was set aside: until the lock is served again, nobody can tell what it needs
        except BlobCorrupt:
            store.set_aside(lock)
            continue
        needed.add(lock)
    return needed


def _needed_by_bundles(store: DiskStore, locks: set[Digest]) -> set[Digest]:
    """What the bundles consist of in which a lock came that is kept; the records of all others are dropped."""
    needed: set[Digest] = set()
    for key, content in store.records(BUNDLES, ""):
        if Digest.from_hex(key[:64]) in locks:
            needed |= mentioned(content)
        else:
            store.drop_record(BUNDLES, key)
    return needed


def _forget_carriers(store: DiskStore, needed: set[Digest]) -> None:
    """What travels as what is remembered of blobs only that are needed here."""
    for key, _ in store.records(CARRIERS, ""):
        if Digest.from_hex(key[:64]) not in needed:
            store.drop_record(CARRIERS, key)
