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

from agent_sync.errors import FileSystemError, UnsafePath
from agent_sync.ports import Directory, Kind
from agent_sync.store.directory import write_atomically
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest

# -- The locks that the store has served: what must stay when space is reclaimed. A root is a small file that names a
# lock, by path and by the digest of its text; the text itself is a blob like any other, so a hundred checkouts of one
# lock keep it once.

ROOTS = RelPath("roots")

_MAX_ROOT_BYTES = 64 * 1024
_DAY_S = 86_400
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Root:
    """A lock that was served: its absolute path, the digest of its text, and when it was, in seconds since 1970."""

    path: str
    lock: Digest
    seen_s: float


def write_root(directory: Directory, root: Root) -> None:
    """The root is known; nothing is written if it was seen within the last day."""
    before = _read_root(directory, root_path(root.path))
    if before is None or before.lock != root.lock or not 0 <= root.seen_s - before.seen_s < _DAY_S:
        text = json.dumps({"lock": root.lock, "path": root.path, "seen_s": int(root.seen_s)}, indent=2)
        write_atomically(directory, root_path(root.path), text.encode() + b"\n")


def read_roots(directory: Directory) -> tuple[Root, ...]:
    """Every root, sorted by path; a file that is not one is passed over."""
    found = (_read_root(directory, join(ROOTS, RelPath(name))) for name in directory.names(ROOTS))
    return tuple(sorted((root for root in found if root is not None), key=lambda root: root.path))


def root_path(path: str) -> RelPath:
    """Where the root of the lock at `path` lies."""
    return join(ROOTS, RelPath(hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"))


def mentioned(lock: bytes) -> frozenset[Digest]:
    """Every digest that the text of a lock has in it, of blobs and of files.

    Reading it as a lock would keep less, but would lose what a newer version's lock needs.
    """
    return frozenset(Digest.from_hex(found.decode()) for found in _DIGEST.findall(lock))


def _read_root(directory: Directory, path: RelPath) -> Root | None:
    try:
        if directory.stat(path) is None:
            return None
        with directory.open(path) as file:
            said = json.loads(file.read(_MAX_ROOT_BYTES))
        match said:
            case {"lock": str(lock), "path": str(at), "seen_s": int(seen_s)}:
                return Root(at, Digest.parse(lock), seen_s)
            case _:
                return None
    except (FileSystemError, UnsafePath, ValueError, RecursionError):
        return None


# -- Small records beside the blobs: what the store remembers of them, by kind and key.

MAX_RECORD_BYTES = 4 << 20

BUNDLES = "bundles"
"""Bundles that were pulled or signed here. The first half of their keys is the sha256 of the lockfile."""
CACHED_ARTIFACTS = "carriers"
"""Artifacts of registries that were found to carry a blob. The first half of their keys is the blob's sha256."""
SIGNERS = "signers"
"""Who signed a bundle the last time. Their keys are the sha256 of the bundle's name."""

_RECORDS = RelPath("records")
_KIND = re.compile(r"[a-z]{1,32}")
_KEY = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})?")


def write_record(directory: Directory, kind: str, key: str, content: bytes) -> None:
    """The record is there with this content. `key` is one or two sha256 in hexadecimal digits, a `.` between them."""
    assert _KIND.fullmatch(kind), kind
    assert _KEY.fullmatch(key), key
    write_atomically(directory, _record_path(kind, key), content)


def read_records(directory: Directory, kind: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Key and content of each record whose key begins with `prefix`, sorted by key; what is no record is passed over.

    Nothing vouches for them: whoever reads one proves it.
    """
    for name in directory.names(join(_RECORDS, RelPath(kind))):
        if name.startswith(prefix) and _KEY.fullmatch(name):
            with suppress(FileSystemError, UnsafePath):
                stat = directory.stat(_record_path(kind, name))
                if stat is not None and stat.kind is Kind.FILE and stat.size <= MAX_RECORD_BYTES:
                    with directory.open(_record_path(kind, name)) as file:
                        yield name, file.read(MAX_RECORD_BYTES)


def remove_record(directory: Directory, kind: str, key: str) -> None:
    """There is no such record."""
    directory.remove(_record_path(kind, key))


def _record_path(kind: str, key: str) -> RelPath:
    return join(join(_RECORDS, RelPath(kind)), RelPath(key))
