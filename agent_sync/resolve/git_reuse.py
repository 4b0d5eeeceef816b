"""A packed tree that a lock names -> whether it is what a repository has; then it need not be fetched.

A lock is no witness for itself: it may be merged, edited or forged, and name bytes that are in the store for another
reason. Here only the store's bytes count, and the ids that git gives them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.events import BlobSetAside
from agent_sync.lock import PackedTree
from agent_sync.store.contents import Contents
from agent_sync.tree.packing import FileToPack, pack
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.ports import GitRepository, World
    from agent_sync.resolve.git_files import GitBlob, Selection
    from agent_sync.tree import Entry, RelPath


def is_what_it_says(packed: PackedTree, selection: Selection, repository: GitRepository, world: World) -> bool:
    """Whether the store has exactly the files that `selection` takes, and `packed` says nothing else of them.

    The repository needs trees and links, no other blobs. All that a lock may say is derived anew from the store's
    bytes: names, digests, executable bits, tar, length and narHash; what is not said is not right. A corrupt blob is
    set aside.

    Raises: LimitExceeded, UnsafePath, as `Selection.files` does.
    """
    blobs = selection.blobs(repository)
    if packed.files.keys() != blobs.keys():
        return False
    try:
        with Contents(world.store) as contents:
            contents.add_tree(packed)
            selection.keep_limits({path: contents.size(entry.sha256) for path, entry in packed.files.items()})
            again, ids = _derived(packed, blobs, contents, world)
    except BlobCorrupt as error:
        world.store.set_aside(Digest(error.digest))
        world.observer(BlobSetAside(error.digest))
        return False
    except (LockInvalid, BytesUnavailable):
        return False
    said = PackedTree(packed.files, packed.blob, packed.size, packed.nar_hash)
    return again == said and ids == [blobs[path].oid for path in packed.files]


def _derived(
    packed: PackedTree, blobs: dict[RelPath, GitBlob], contents: Contents, world: World
) -> tuple[PackedTree, list[str]]:
    """What the files come to when they are packed once more, and git's ids of them."""
    tar, ids = hashlib.sha256(), list[str]()

    def to_pack() -> Iterator[FileToPack]:
        for path, entry in packed.files.items():
            world.cancellation.check()
            chunks = _noting_id(entry, contents, ids)
            yield FileToPack(path, contents.size(entry.sha256), chunks, executable=blobs[path].executable)

    again = pack(to_pack(), tar.update)
    return PackedTree(again.tree, Digest.from_hex(tar.hexdigest()), again.size, again.nar_hash), ids


def _noting_id(entry: Entry, contents: Contents, ids: list[str]) -> Iterator[bytes]:
    """The file in pieces; git's id of it is among `ids` in the end."""
    found = hashlib.sha1(b"blob %d\0" % contents.size(entry.sha256), usedforsecurity=False)
    for chunk in contents.chunks(entry.sha256):
        found.update(chunk)
        yield chunk
    ids.append(found.hexdigest())
