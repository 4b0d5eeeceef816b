"""What is in the store, and who needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LimitExceeded, LockInvalid, UnsafePath
from agent_sync.lock.model import Lock
from agent_sync.lock.reading import read_lock
from agent_sync.store.blobs import whole_blob
from agent_sync.store.disk import DiskStore
from agent_sync.store.records import BUNDLES
from agent_sync.store.roots import Root, mentioned, needs
from agent_sync_oci.digest import Digest


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """Who needs a blob: a lock, by its absolute path, and what in it."""

    lock: str
    what: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob, its length in bytes, and who needs it, sorted; empty where nobody is known to."""

    digest: Digest
    size: int
    uses: tuple[Use, ...]


def stored(store: DiskStore) -> tuple[Stored, ...]:
    """Everything in the store, sorted by digest. The blobs' bytes are not looked at."""
    uses: defaultdict[Digest, set[Use]] = defaultdict(set)
    for root, text, lock in locks_served(store):
        uses[root.lock].add(Use(root.path, "the lock"))
        for digest, what in _needs_of(text, lock):
            uses[digest].add(Use(root.path, what))
        for _, record in store.records(BUNDLES, root.lock.hex):
            for digest in mentioned(record) - {root.lock}:
                uses[digest].add(Use(root.path, "who vouches for it"))
    return tuple(
        Stored(digest, store.size(digest) or 0, tuple(sorted(uses.get(digest, ())))) for digest in store.digests()
    )


def locks_served(store: DiskStore) -> Iterator[tuple[Root, bytes, Lock | None]]:
    """Each lock that was served, by path, if its text is here; no Lock where this version cannot read it by itself."""
    for root in store.roots():
        try:
            text = whole_blob(root.lock, store)
        except (BlobCorrupt, BytesUnavailable):
            continue
        try:
            lock = read_lock(text, file=root.path)
        except (LockInvalid, UnsafePath, LimitExceeded):
            lock = None
        yield root, text, lock


def _needs_of(text: bytes, lock: Lock | None) -> Iterator[tuple[Digest, str]]:
    if lock is None:
        yield from ((digest, "a digest in it") for digest in mentioned(text))
    else:
        yield from ((digest, what) for digest, _, what in needs(lock))
