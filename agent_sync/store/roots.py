"""The locks that the store has served: what must stay when space is reclaimed.

A root is a small file that names a lock, by path and by the digest of its text; the text itself is a blob like any
other, so a hundred checkouts of one lock keep it once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sync.errors import FileFault, UnsafePath
from agent_sync.lock.model import Lock, PackedTree
from agent_sync.lock.outputs import stored_parts
from agent_sync.ports import Folder
from agent_sync.store.staging import put
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest

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


def write_root(folder: Folder, root: Root) -> None:
    """The root is known; nothing is written if it was seen within the last day."""
    before = _read_root(folder, root_path(root.path))
    if before is None or before.lock != root.lock or not 0 <= root.seen_s - before.seen_s < _DAY_S:
        text = json.dumps({"lock": root.lock, "path": root.path, "seen_s": int(root.seen_s)}, indent=2)
        put(folder, root_path(root.path), text.encode() + b"\n")


def read_roots(folder: Folder) -> tuple[Root, ...]:
    """Every root, sorted by path; a file that is not one is passed over."""
    found = (_read_root(folder, join(ROOTS, RelPath(name))) for name in folder.names(ROOTS))
    return tuple(sorted((root for root in found if root is not None), key=lambda root: root.path))


def root_path(path: str) -> RelPath:
    """Where the root of the lock at `path` lies."""
    return join(ROOTS, RelPath(hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"))


def mentioned(lock: bytes) -> frozenset[Digest]:
    """Every digest that the text of a lock has in it, of blobs and of files.

    Reading it as a lock would keep less, but would lose what a newer version's lock needs.
    """
    return frozenset(Digest.from_hex(found.decode()) for found in _DIGEST.findall(lock))


def needs(lock: Lock) -> Iterator[tuple[Digest, PackedTree | None, str]]:
    """Each blob that the lock needs, the tree in it (None: a loose file), and what for; in the order of the lock."""
    for what, part in stored_parts(lock):
        if isinstance(part, PackedTree):
            if part.blob is not None:
                yield part.blob, part, what
        elif _DIGEST.fullmatch(part.sha256.encode()):  # another implementation may have shortened it
            yield Digest.from_hex(part.sha256), None, what


def _read_root(folder: Folder, path: RelPath) -> Root | None:
    try:
        if folder.stat(path) is None:
            return None
        with folder.open(path) as file:
            said = json.loads(file.read(_MAX_ROOT_BYTES))
        match said:
            case {"lock": str(lock), "path": str(at), "seen_s": int(seen_s)}:
                return Root(at, Digest.parse(lock), seen_s)
            case _:
                return None
    except (FileFault, UnsafePath, ValueError, RecursionError):
        return None
