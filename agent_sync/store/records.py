"""Read and write the small files beside the blobs: roots and records.

A root is a lock that was served, by path and by the digest of its text; the text itself is a blob like any other, so
a hundred checkouts of one lock keep it once. A record is what is remembered of a blob, by kind and key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from agent_sync.errors import FileSystemError, ProjectBusy, UnsafePath
from agent_sync.ports import BlobStore, Clock, Directory, Kind
from agent_sync.store.directory import CacheDirectory, write_atomically, writing
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest

BUNDLES = "bundles"
"""Bundles that were pulled or signed here. The first half of their keys is the sha256 of the lock file."""
CACHED_ARTIFACTS = "carriers"
"""Artifacts in registries that were found to hold a blob. The first half of their keys is the blob's sha256."""
SIGNERS = "signers"
"""Who signed a bundle the last time. Their keys are the sha256 of the bundle's name."""

_ROOTS = RelPath("roots")
_MAX_ROOT_BYTES = 64 * 1024
_DAY_S = 86_400
_DIGEST = re.compile(rb"[0-9a-f]{64}")

_RECORDS = RelPath("records")
_MAX_RECORD_BYTES = 4 << 20
_KIND = re.compile(r"[a-z]{1,32}")
_KEY = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Root:
    """A lock that was served: its absolute path, the digest of its text, and when it was, in seconds since 1970."""

    path: str
    lock: Digest
    seen_s: float


class DiskRoots:
    """`LockRoots` (ports) in the cache's directory: what must stay when space is reclaimed."""

    def __init__(self, directory: CacheDirectory, blobs: BlobStore, clock: Clock) -> None:
        self._directory = directory
        self._blobs = blobs
        self._clock = clock

    def remember(self, lock: bytes, *, path: str) -> None:
        """See the port. A cache that cannot be written is no error: at worst, blobs are reclaimed and fetched again."""
        root = Root(path, Digest.of(lock), self._clock.now_s())
        with suppress(FileSystemError, UnsafePath, ProjectBusy):
            if self._blobs.size(root.lock) is None:
                with self._blobs.writer() as writer:
                    writer.write(lock)
                    writer.commit()
            _write_root(self._directory.writable(), root)

    def all(self) -> tuple[Root, ...]:
        """Return every root, sorted by path; a file that is not one is passed over."""
        directory = self._directory.readable()
        if directory is None:
            return ()
        found = (_read_root(directory, join(_ROOTS, RelPath(name))) for name in directory.names(_ROOTS))
        return tuple(sorted((root for root in found if root is not None), key=lambda root: root.path))

    def forget(self, root: Root) -> None:
        """Remove the root: its lock keeps nothing any more."""
        self._directory.writable().remove(_root_path(root.path))


class DiskRecords:
    """A `RecordStore` (ports) in the cache's directory."""

    def __init__(self, directory: CacheDirectory) -> None:
        self._directory = directory

    def record(self, kind: str, key: str, content: bytes) -> None:
        assert _KIND.fullmatch(kind), kind
        assert _KEY.fullmatch(key), key
        directory = self._directory.writable()
        with writing(directory):
            write_atomically(directory, _record_path(kind, key), content)

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        directory = self._directory.readable()
        return () if directory is None else tuple(_read_records(directory, kind, prefix))

    def forget(self, kind: str, key: str) -> None:
        """Remove the record, if there is one."""
        self._directory.writable().remove(_record_path(kind, key))


def digests_in(text: bytes) -> frozenset[Digest]:
    """Return every digest that the text of a lock or a record mentions, of blobs and of files.

    Reading it as a lock would keep less, but would lose what a newer version's lock needs.
    """
    return frozenset(Digest.from_hex(found.decode()) for found in _DIGEST.findall(text))


def _write_root(directory: Directory, root: Root) -> None:
    path = _root_path(root.path)
    before = _read_root(directory, path)
    # Once a day is enough to keep a lock's blobs for 90: a sync with nothing to do should write nothing.
    if before is None or before.lock != root.lock or not 0 <= root.seen_s - before.seen_s < _DAY_S:
        text = json.dumps({"lock": root.lock, "path": root.path, "seen_s": int(root.seen_s)}, indent=2)
        write_atomically(directory, path, text.encode() + b"\n")


def _read_root(directory: Directory, path: RelPath) -> Root | None:
    try:
        if directory.stat(path) is None:
            return None
        with directory.open(path) as file:
            document = json.loads(file.read(_MAX_ROOT_BYTES))
        match document:
            case {"lock": str(lock), "path": str(at), "seen_s": int(seen_s)}:
                return Root(at, Digest.parse(lock), seen_s)
            case _:
                return None
    except (FileSystemError, UnsafePath, ValueError, RecursionError):
        return None


def _root_path(path: str) -> RelPath:
    return join(_ROOTS, RelPath(hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"))


def _read_records(directory: Directory, kind: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yield key and content, sorted by key; what is no record is passed over."""
    for name in directory.names(join(_RECORDS, RelPath(kind))):
        if name.startswith(prefix) and _KEY.fullmatch(name):
            with suppress(FileSystemError, UnsafePath):
                stat = directory.stat(_record_path(kind, name))
                if stat is not None and stat.kind is Kind.FILE and stat.size <= _MAX_RECORD_BYTES:
                    with directory.open(_record_path(kind, name)) as file:
                        yield name, file.read(_MAX_RECORD_BYTES)


def _record_path(kind: str, key: str) -> RelPath:
    return join(join(_RECORDS, RelPath(kind)), RelPath(key))
