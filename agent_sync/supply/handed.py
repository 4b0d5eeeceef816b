"""Source trees that somebody else laid out in folders, taken only if they are what the lock says
(AGENT_SYNC_SOURCES).
"""

from __future__ import annotations

from agent_sync.errors import ContentMismatch
from agent_sync.escaping import shown
from agent_sync.limits import Limits
from agent_sync.lock import LockedSource, PackedTree
from agent_sync.ports import World
from agent_sync.resolve.local import find_files, pack_folder


def from_folder(source: LockedSource, folder: str, world: World) -> PackedTree:
    """The source's tree, read from `folder`, is in the store.

    Raises: ContentMismatch if it is not exactly the locked tree.
    """
    subject = f"source {source.name}, handed over in {shown(folder)}"
    place = world.at(folder)
    packed = pack_folder(place, find_files(place, subject=subject, limits=Limits()), world, subject=subject)
    if packed.files != source.tree:
        changed = source.tree.changes_to(packed.files)
        raise ContentMismatch(
            subject=subject,
            check=f"{len(changed)} files are not what the lock says, the first is {shown(changed[0].path)}",
            remedy="hand over the tree that this lock pins",
        )
    return packed
