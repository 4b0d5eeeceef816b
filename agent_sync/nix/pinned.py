"""What of a lock has a store path, and which."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sync.errors import LockInvalid
from agent_sync.lock import Lock
from agent_sync.lock.outputs import stored_parts
from agent_sync.nix.store_paths import name_of, path_of_file, path_of_tree
from agent_sync.sources.content import Content, PackedTree, SingleFile
from agent_sync.store.contents import Contents


@dataclass(frozen=True, slots=True)
class Pinned:
    """A tree, or the file of a url; `what` says which of the lock, for messages, `path` is where a Nix store has it."""

    what: str
    path: str
    content: Content

    def add_to(self, contents: Contents) -> None:
        """The files can be read from `contents`."""
        match self.content:
            case PackedTree():
                contents.add_tree(self.content)
            case SingleFile():
                contents.add_blob(self.content.blob)


def all_pinned(lock: Lock, *, store_dir: str) -> tuple[Pinned, ...]:
    """Sources, what transforms made of them, what overrides made; in the order of the lock, each path once.

    Raises: LockInvalid if a source's status is not ok, or the lock does not say what Nix calls its tree.
    """
    for source in lock.sources:
        if source.status != "ok":
            raise LockInvalid(
                subject=f"source {source.name}",
                check=f"it is locked with the status {source.status}",
                remedy=f"agent-sync update {source.name}",
            )
    by_path = {each.path: each for each in reversed(list(_all(lock, store_dir)))}
    return tuple(reversed(by_path.values()))


def nar_sha256(packed: PackedTree) -> bytes:
    """The digest that the tree's narHash, which must be there, tells."""
    assert packed.nar_hash is not None, "all_pinned lets no other through"
    return b64decode(packed.nar_hash.removeprefix("sha256-"))


def _all(lock: Lock, store_dir: str) -> Iterator[Pinned]:
    for what, content in stored_parts(lock):
        match content:
            case SingleFile(url=url):
                digest = bytes.fromhex(content.blob.hex)
                yield Pinned(what, path_of_file(digest, name_of(url), store_dir=store_dir), content)
            case PackedTree(nar_hash=None) | PackedTree(blob=None):
                raise LockInvalid(
                    subject=what,
                    check="the lock has no narHash for it, as another implementation's does not",
                    remedy="agent-sync update",
                )
            case PackedTree():
                yield Pinned(what, path_of_tree(nar_sha256(content), store_dir=store_dir), content)
