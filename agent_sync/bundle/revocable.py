"""Whatever a revocation may name in a lock."""

from __future__ import annotations

import re

from agent_sync.documents import emit, read_document
from agent_sync.errors import LockInvalid
from agent_sync.lock.reading import MAX_LOCK_BYTES
from agent_sync.store.roots import mentioned
from agent_sync_oci.digest import Digest

_GIT = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def digests_in(lock: bytes) -> frozenset[str]:
    """Blobs and files by their sha256, commits and trees by git's digest: all that stands in the text of the lock; and
    the lock itself. As it is written, and as it is read: in quotes a digit may be spelt `\\x61`.

    Raises: LockInvalid, LimitExceeded (it is no lock).
    """
    read = read_document(lock, file="the lock", error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
    text = lock + emit(read.data).encode()
    return frozenset({Digest.of(lock), *mentioned(text), *(found.decode() for found in _GIT.findall(text))})
