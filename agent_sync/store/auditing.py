"""Every blob of the store against its name, and against the locks that were served."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.events import BlobSetAside, Observer, Progressed, ignore
from agent_sync.lock.model import PackedTree
from agent_sync.ports import Cancellation
from agent_sync.store.disk import DiskStore
from agent_sync.store.listing import locks_served
from agent_sync.store.roots import needs
from agent_sync.store.verifying import verify_blob, verify_packed
from agent_sync_oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Audit:
    """How many blobs were read, which were corrupt and are set aside now, and which locks disagree with their blobs."""

    checked: int
    corrupt: tuple[Digest, ...]
    disagreements: tuple[LockInvalid, ...]


def audit(store: DiskStore, *, cancellation: Cancellation, observer: Observer = ignore) -> Audit:
    """Every blob was read and hashed, and all that known locks say of it was compared; the corrupt ones are set aside.

    Raises: FileFault, Cancelled.
    """
    claims = _claims(store)
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


def _claims(store: DiskStore) -> dict[Digest, dict[str, PackedTree]]:
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
