"""A real store in a directory of a test, with a clock that stands still until it is told otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent_sync.adapters.machine import private_directory
from agent_sync.ports import BlobStore, Contents
from agent_sync.store.blobs import DiskBlobs
from agent_sync.store.cache import Cache, Reclaimed, cache_at
from agent_sync.tree import Sha256
from agent_sync_oci.digest import Digest, blob_path

TODAY_S = 1_700_000_000.0
DAY_S = 86_400.0


class StoppedClock:
    """Implements `ports.Clock`."""

    def __init__(self, now_s: float = TODAY_S) -> None:
        self.now = now_s

    def now_s(self) -> float:
        return self.now

    def monotonic_s(self) -> float:
        return self.now


def a_cache(directory: Path, clock: StoppedClock | None = None) -> Cache:
    """The cache in `directory`, which need not exist."""
    return cache_at(lambda: str(directory), private_directory, clock or StoppedClock())


def a_disk_store(directory: Path) -> DiskBlobs:
    """The blobs of the cache in `directory`, which need not exist."""
    return a_cache(directory).blobs


def gc(cache: Cache, *, now_s: float = TODAY_S, keep_days: int = 90, wait_s: float = 10.0) -> Reclaimed:
    """Space is reclaimed as at that time."""
    return replace(cache, clock=StoppedClock(now_s), wait_s=wait_s).gc(keep_days=keep_days)


def put(content: bytes, store: BlobStore) -> Digest:
    """The blob is in the store."""
    with store.writer() as writer:
        writer.write(content)
        return writer.commit()


def place(directory: Path, digest: Digest) -> Path:
    """Where the blob lies on the disk."""
    return directory / blob_path(digest)


def whole(sha256: Sha256, contents: Contents) -> bytes:
    """All bytes of the file."""
    return b"".join(contents.chunks(sha256))
