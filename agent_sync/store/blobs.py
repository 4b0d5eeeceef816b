"""Reading pieces of blobs from several threads, and saying whose fault it is when they are not what they should be."""

from __future__ import annotations

import hashlib
import threading
from typing import BinaryIO

from agent_sync.errors import AgentSyncError, BlobCorrupt, LockInvalid
from agent_sync.lock.consistency import REMEDY
from agent_sync.ports import BlobStore
from agent_sync_oci.digest import Digest

CHUNK_BYTES = 1 << 18

_MAX_OPEN = 32  # a lock of a thousand sources must not run into the usual limit of 1,024 open files


class OpenBlobs:
    """Blobs of a store, kept open once read, the oldest closed when there are many. Any thread may read."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._files: dict[Digest, BinaryIO] = {}
        self._reading = threading.Lock()

    def read(self, digest: Digest, offset: int, size: int) -> bytes:
        """The bytes at `offset`, `size` of them; fewer only where the blob ends.

        Raises:
            BytesUnavailable: the blob is not here.
            FileFault: the system could not read it.
        """
        with self._reading:
            file = self._files.get(digest) or self._open(digest)
            file.seek(offset)
            return file.read(size)

    def forget(self, digest: Digest) -> None:
        """The blob is not open; the next read opens what then has its name."""
        with self._reading:
            if (file := self._files.pop(digest, None)) is not None:
                file.close()

    def close(self) -> None:
        """No file is open; the next read opens it again."""
        with self._reading:
            while self._files:
                self._files.popitem()[1].close()

    def _open(self, digest: Digest) -> BinaryIO:
        if len(self._files) >= _MAX_OPEN:
            self._files.pop(next(iter(self._files))).close()
        file = self._files[digest] = self._store.open(digest)
        return file


def whole_blob(digest: Digest, store: BlobStore) -> bytes:
    """The blob's bytes, verified; for what is known to be small. BlobCorrupt, BytesUnavailable, FileFault."""
    with store.open(digest) as file:
        content = file.read()
    if Digest.of(content) != digest:
        raise corrupt(digest, f"its bytes have the sha256 {Digest.of(content).hex}")
    return content


def true_digest(digest: Digest, store: BlobStore) -> Digest:
    """What the bytes of the blob called `digest` really hash to. BytesUnavailable, FileFault as `BlobStore.open`."""
    actual = hashlib.sha256()
    with store.open(digest) as file:
        while chunk := file.read(CHUNK_BYTES):
            actual.update(chunk)
    return Digest.from_hex(actual.hexdigest())


def whose_fault(digest: Digest, store: BlobStore, check: str) -> AgentSyncError:
    """The error for a blob that is not what the lock says of it.

    BlobCorrupt if its bytes have changed; LockInvalid if they are the ones that the digest promises: then another copy
    of the blob would be no better, and setting this one aside would only lose it.
    """
    actual = true_digest(digest, store)
    if actual != digest:
        return corrupt(digest, f"{check} (its sha256 is {actual.hex})")
    return LockInvalid(
        subject=f"the tree of blob {digest}",
        check=f"the lock's list of files and its blob disagree: {check}",
        remedy=REMEDY,
    )


def corrupt(digest: Digest, check: str) -> BlobCorrupt:
    """The error for a blob whose bytes have changed."""
    return BlobCorrupt(
        digest=digest,
        subject=f"blob {digest} of the store",
        check=check,
        remedy="agent-sync cache verify sets it aside; it is then fetched again when it is needed",
    )
