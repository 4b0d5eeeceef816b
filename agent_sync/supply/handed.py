"""Trees that somebody else laid out on the disk, taken only if they are what the lock says (AGENT_SYNC_SOURCES)."""

from __future__ import annotations

import posixpath

from agent_sync.errors import ContentMismatch
from agent_sync.escaping import shown
from agent_sync.limits import Limits
from agent_sync.lock import LockedSource, PackedTree, UrlPin
from agent_sync.ports import Kind, World
from agent_sync.resolve.local import find_files, pack_folder
from agent_sync.tree import Entry, RelPath, Tree
from agent_sync_oci.digest import Digest

_REMEDY = "hand over the tree that this lock pins"


def from_handed(source: LockedSource, path: str, world: World) -> PackedTree:
    """The source's tree, read from the folder `path`, is in the store; of a url, `path` may be the file itself.

    Raises: ContentMismatch if it is not exactly the locked tree.
    """
    what = f"source {source.name}"
    if isinstance(source.pin, UrlPin):
        folder, name = posixpath.split(path)
        stat = world.at(folder).stat(RelPath(name)) if name else None
        if stat is not None and stat.kind is Kind.FILE:
            return _from_file(source.pin, folder, RelPath(name), world, what=what)
    return tree_from_folder(source.tree, path, world, what=what)


def tree_from_folder(tree: Tree, folder: str, world: World, *, what: str) -> PackedTree:
    """The same for any tree of a lock; `what` says which, for messages."""
    subject = _subject(what, folder)
    place = world.at(folder)
    packed = pack_folder(place, find_files(place, subject=subject, limits=Limits()), world, subject=subject)
    if packed.files != tree:
        changed = tree.changes_to(packed.files)
        check = f"{len(changed)} files are not what the lock says, the first is {shown(changed[0].path)}"
        raise ContentMismatch(subject=subject, check=check, remedy=_REMEDY)
    return packed


def _from_file(pin: UrlPin, folder: str, name: RelPath, world: World, *, what: str) -> PackedTree:
    expected = Digest.from_hex(pin.sha256)
    with world.store.writer() as writer:
        for chunk in world.at(folder).chunks(name):
            world.cancellation.check()
            writer.write(chunk)
        try:
            writer.commit(expected)
        except ContentMismatch as error:
            subject = _subject(what, posixpath.join(folder, name))
            raise ContentMismatch(subject=subject, check=error.check, remedy=_REMEDY) from error
    return PackedTree(Tree({pin.key: Entry(pin.sha256)}))


def _subject(what: str, path: str) -> str:
    return f"{what}, handed over in {shown(path)}"
