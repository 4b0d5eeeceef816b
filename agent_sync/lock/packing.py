"""Files -> a tree in the store, as the lock records it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent_sync.lock.model import PackedTree
from agent_sync.ports import BlobStore, Contents
from agent_sync.tree import Tree
from agent_sync.tree.tarball import FileToPack, pack


def store_tree(files: Iterable[FileToPack], store: BlobStore, *, subject: str = "this tree") -> PackedTree:
    """The canonical tar of `files` is in the store; what the lock says of it comes back.

    `files` must come in the order of a `Tree` (`sorted_paths`); `subject` names their source in messages.

    Raises:
        DigestMismatch: a file's chunks do not add up to its size: it changed while it was read.
        FileSystemError: the store cannot be written.
        ValueError: the files are not in order, or one is a directory as well.
    """
    with store.writer() as writer:
        packed = pack(files, writer.write, subject=subject)
        return PackedTree(packed.tree, writer.commit(), packed.size, packed.nar_hash)


def packable(tree: Tree, contents: Contents) -> Iterator[FileToPack]:
    """The files of `tree`, which `contents` has, as `store_tree` takes them."""
    for path, entry in tree.items():
        yield FileToPack(path, contents.size(entry.sha256), contents.chunks(entry.sha256), executable=entry.executable)
