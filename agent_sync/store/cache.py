"""Maintain the cache (`agent-sync cache`): list its blobs and who needs them, verify them, reclaim space."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LimitExceeded, LockInvalid, UnsafePath
from agent_sync.events import BlobSetAside, Observer, Progressed, ignore
from agent_sync.lock.model import Lock, PackedTree
from agent_sync.lock.outputs import stored_parts
from agent_sync.lock.reader import read_lock
from agent_sync.ports import Cancellation, Clock
from agent_sync.store.blobs import DiskStore, read_blob
from agent_sync.store.records import _DIGEST, BUNDLES, CACHED_ARTIFACTS, Root, mentioned
from agent_sync.store.verify import verify_blob, verify_packed
from agent_sync_oci.digest import Digest

# -- What is in the store, and who needs it.


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """Who needs a blob: a lock, by its absolute path, and what in it."""

    lock: str
    what: str


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob, its length in bytes, and who needs it, sorted; empty where nobody is known to."""

    digest: Digest
    size: int
    uses: tuple[Use, ...]


def list_blobs(store: DiskStore) -> tuple[StoredBlob, ...]:
    """Everything in the store, sorted by digest. The blobs' bytes are not looked at."""
    uses: defaultdict[Digest, set[Use]] = defaultdict(set)
    for root, text, lock in locks_served(store):
        uses[root.lock].add(Use(root.path, "the lock"))
        for digest, what in _needs_of_text(text, lock):
            uses[digest].add(Use(root.path, what))
        for _, record in store.records(BUNDLES, root.lock.hex):
            for digest in mentioned(record) - {root.lock}:
                uses[digest].add(Use(root.path, "who vouches for it"))
    return tuple(
        StoredBlob(digest, store.size(digest) or 0, tuple(sorted(uses.get(digest, ())))) for digest in store.digests()
    )


def locks_served(store: DiskStore) -> Iterator[tuple[Root, bytes, Lock | None]]:
    """Each lock that was served, by path, if its text is here; no Lock where this version cannot read it by itself."""
    for root in store.roots():
        try:
            text = read_blob(root.lock, store)
        except (BlobCorrupt, BytesUnavailable):
            continue
        try:
            lock = read_lock(text, file=root.path)
        except (LockInvalid, UnsafePath, LimitExceeded):
            lock = None
        yield root, text, lock


def _needs_of_text(text: bytes, lock: Lock | None) -> Iterator[tuple[Digest, str]]:
    if lock is None:
        yield from ((digest, "a digest in it") for digest in mentioned(text))
    else:
        yield from ((digest, what) for digest, _, what in needs(lock))


# -- Every blob of the store against its name, and against the locks that were served.


@dataclass(frozen=True, slots=True)
class Audit:
    """How many blobs were read, which were corrupt and are set aside now, and which locks disagree with their blobs."""

    checked: int
    corrupt: tuple[Digest, ...]
    disagreements: tuple[LockInvalid, ...]


def audit(store: DiskStore, *, cancellation: Cancellation, observer: Observer = ignore) -> Audit:
    """Every blob was read and hashed, and all that known locks say of it was compared; the corrupt ones are set aside.

    Raises: FileSystemError, Cancelled.
    """
    claims = _claims_of_locks(store)
    digests = store.digests()
    corrupt: list[Digest] = []
    disagreements: list[LockInvalid] = []
    for done, digest in enumerate(digests):
        cancellation.check()
        observer(Progressed("verifying the store", done, len(digests)))
        try:
            disagreements += _disagreements(digest, claims.get(digest, {}), store)
        except BlobCorrupt:
            store.set_aside(digest)
            observer(BlobSetAside(digest))
            corrupt.append(digest)
        except BytesUnavailable:
            continue  # another process has set it aside meanwhile
    observer(Progressed("verifying the store", len(digests), len(digests)))
    return Audit(len(digests), tuple(corrupt), tuple(disagreements))


def _claims_of_locks(store: DiskStore) -> dict[Digest, dict[str, PackedTree]]:
    """Blob -> what locks say of it, by who says so; the same claim of many checkouts counts once."""
    claims: defaultdict[Digest, dict[str, PackedTree]] = defaultdict(dict)
    for root, _, lock in locks_served(store):
        for digest, packed, what in needs(lock) if lock is not None else ():
            if packed is not None and packed not in claims[digest].values():
                claims[digest][f"{root.path}, {what}"] = packed
    return claims


def _disagreements(digest: Digest, claims: dict[str, PackedTree], store: DiskStore) -> list[LockInvalid]:
    if not claims:
        verify_blob(digest, store)
    found = []
    for subject, packed in claims.items():
        try:
            verify_packed(packed, store, subject=subject)
        except LockInvalid as error:
            found.append(error)
    return found


# -- Space that no lock needs any more, given back.

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
        FileSystemError: the store cannot be written.
    """
    with store.exclusive(wait_s=wait_s):
        forgotten = _drop_old_roots(store, now_s - keep_days * _DAY_S)
        needed = _mark_locks(store)
        needed |= _mark_bundles(store, needed)
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
        _drop_unused_artifacts(store, needed)
        store.clear()
    return Reclaimed(tuple(removed), tuple(kept), freed_bytes, forgotten)


def _drop_old_roots(store: DiskStore, oldest_s: float) -> tuple[Root, ...]:
    old = tuple(root for root in store.roots() if root.seen_s < oldest_s)
    for root in old:
        store.forget(root)
    return old


def _mark_locks(store: DiskStore) -> set[Digest]:
    needed: set[Digest] = set()
    for lock in {root.lock for root in store.roots()}:
        try:
            needed |= mentioned(read_blob(lock, store))
        except BytesUnavailable:
            continue  # it was set aside: until the lock is served again, nobody can tell what it needs
        except BlobCorrupt:
            store.set_aside(lock)
            continue
        needed.add(lock)
    return needed


def _mark_bundles(store: DiskStore, locks: set[Digest]) -> set[Digest]:
    """What the bundles consist of in which a lock came that is kept; the records of all others are dropped."""
    needed: set[Digest] = set()
    for key, content in store.records(BUNDLES, ""):
        if Digest.from_hex(key[:64]) in locks:
            needed |= mentioned(content)
        else:
            store.drop_record(BUNDLES, key)
    return needed


def _drop_unused_artifacts(store: DiskStore, needed: set[Digest]) -> None:
    """What travels as what is remembered of blobs only that are needed here."""
    for key, _ in store.records(CACHED_ARTIFACTS, ""):
        if Digest.from_hex(key[:64]) not in needed:
            store.drop_record(CACHED_ARTIFACTS, key)


# -- Cache: the store as its user looks after it (`agent-sync cache`).


@dataclass(frozen=True)
class Cache:
    """One user's store. Raises AgentSyncErrors only."""

    store: DiskStore
    clock: Clock
    observer: Observer = ignore
    cancellation: Cancellation = field(default_factory=Cancellation)

    def list(self) -> tuple[StoredBlob, ...]:
        """Every blob with its length in bytes and who needs it, sorted by digest."""
        return list_blobs(self.store)

    def verify(self) -> Audit:
        """Every blob hashed, and compared with all that known locks say of it; corrupt ones are set aside."""
        return audit(self.store, cancellation=self.cancellation, observer=self.observer)

    def gc(self, *, keep_days: int = KEEP_DAYS) -> Reclaimed:
        """Gone is what no lock needs that was seen in the last `keep_days` days."""
        return reclaim(self.store, now_s=self.clock.now_s(), keep_days=keep_days)


def needs(lock: Lock) -> Iterator[tuple[Digest, PackedTree | None, str]]:
    """Each blob that the lock needs, the tree in it (None: a loose file), and what for; in the order of the lock."""
    for what, part in stored_parts(lock):
        if isinstance(part, PackedTree):
            if part.blob is not None:
                yield part.blob, part, what
        elif _DIGEST.fullmatch(part.sha256.encode()):  # another implementation may have shortened it
            yield Digest.from_hex(part.sha256), None, what
