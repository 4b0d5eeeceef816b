"""List the blobs of the cache with the locks that need them, and verify blobs against their names and those locks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LimitExceeded, LockInvalid, UnsafePath
from agent_sync.events import BlobSetAside, Progressed
from agent_sync.lock.file import read_lock
from agent_sync.lock.model import Lock, stored_parts
from agent_sync.sources.content import PackedTree
from agent_sync.store.blobs import read_blob
from agent_sync.store.directory import BUNDLES, Root, digests_in
from agent_sync.store.verify import verify_blob, verify_packed
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.store.blobs import DiskBlobs
    from agent_sync.store.cache import Cache

_SHA256 = re.compile(r"[0-9a-f]{64}")


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


@dataclass(frozen=True, slots=True)
class Audit:
    """How many blobs were read, which were corrupt and are set aside now, and which locks disagree with their blobs."""

    checked: int
    corrupt: tuple[Digest, ...]
    disagreements: tuple[LockInvalid, ...]


def list_blobs(cache: Cache) -> tuple[StoredBlob, ...]:
    """Return every blob of the cache, sorted by digest. The blobs' bytes are not read.

    Raises: FileSystemError, UnsafePath, ProjectBusy.
    """
    uses: defaultdict[Digest, set[Use]] = defaultdict(set)
    for root, text, lock in _locks_served(cache):
        uses[root.lock].add(Use(root.path, "the lock"))
        for digest, what in _needs_of_text(text, lock):
            uses[digest].add(Use(root.path, what))
        for _, record in cache.records.records(BUNDLES, root.lock.hex):
            for digest in digests_in(record) - {root.lock}:
                uses[digest].add(Use(root.path, "the bundle it came in"))
    blobs = cache.blobs
    return tuple(
        StoredBlob(digest, blobs.size(digest) or 0, tuple(sorted(uses.get(digest, ())))) for digest in blobs.digests()
    )


def audit(cache: Cache) -> Audit:
    """Read and hash every blob, and compare all that known locks say of it; set corrupt blobs aside.

    Raises: FileSystemError, UnsafePath, ProjectBusy, Cancelled.
    """
    blobs = cache.blobs
    claims = _claims_of_locks(cache)
    digests = blobs.digests()
    corrupt: list[Digest] = []
    disagreements: list[LockInvalid] = []
    for done, digest in enumerate(digests):
        cache.cancellation.check()
        cache.observer(Progressed("verifying the cache", done, len(digests)))
        try:
            disagreements += _disagreements(digest, claims.get(digest, {}), blobs)
        except BlobCorrupt:
            blobs.set_aside(digest)
            cache.observer(BlobSetAside(digest))
            corrupt.append(digest)
        except BytesUnavailable:
            continue  # another process has set it aside meanwhile
    cache.observer(Progressed("verifying the cache", len(digests), len(digests)))
    return Audit(len(digests), tuple(corrupt), tuple(disagreements))


def _locks_served(cache: Cache) -> Iterator[tuple[Root, bytes, Lock | None]]:
    """Yield each lock that was served, by path, if its text is here; no Lock where this version cannot read it."""
    for root in cache.roots.all():
        try:
            text = read_blob(root.lock, cache.blobs)
        except (BlobCorrupt, BytesUnavailable):
            continue
        try:
            lock = read_lock(text, file=root.path)
        except (LockInvalid, UnsafePath, LimitExceeded):
            lock = None
        yield root, text, lock


def _needs_of_text(text: bytes, lock: Lock | None) -> Iterator[tuple[Digest, str]]:
    if lock is None:
        yield from ((digest, "a digest in it") for digest in digests_in(text))
    else:
        yield from ((digest, what) for digest, _, what in _needs(lock))


def _needs(lock: Lock) -> Iterator[tuple[Digest, PackedTree | None, str]]:
    """Yield each blob that the lock needs, the tree in it (None: a loose file), and what for; in the lock's order."""
    for what, part in stored_parts(lock):
        if isinstance(part, PackedTree):
            if part.blob is not None:
                yield part.blob, part, what
        elif _SHA256.fullmatch(part.sha256):  # another implementation may have shortened it
            yield Digest.from_hex(part.sha256), None, what


def _claims_of_locks(cache: Cache) -> dict[Digest, dict[str, PackedTree]]:
    """Return what locks say of each blob, by who says so; the same claim of many checkouts counts once."""
    claims: defaultdict[Digest, dict[str, PackedTree]] = defaultdict(dict)
    for root, _, lock in _locks_served(cache):
        for digest, packed, what in _needs(lock) if lock is not None else ():
            if packed is not None and packed not in claims[digest].values():
                claims[digest][f"{root.path}, {what}"] = packed
    return claims


def _disagreements(digest: Digest, claims: dict[str, PackedTree], blobs: DiskBlobs) -> list[LockInvalid]:
    if not claims:
        verify_blob(digest, blobs)
    found = []
    for subject, packed in claims.items():
        try:
            verify_packed(packed, blobs, subject=subject)
        except LockInvalid as error:
            found.append(error)
    return found
