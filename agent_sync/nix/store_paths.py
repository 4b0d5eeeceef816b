"""Nix store paths: a function of content and name (Nix manual, "Store Path"), and those of all that a lock pins.

Only content-addressed paths without references: a tree by its NAR, a single file by its bytes."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sync.errors import LockInvalid
from agent_sync.lock import Lock
from agent_sync.lock.model import stored_parts
from agent_sync.sources.content import Content, PackedTree, SingleFile
from agent_sync.store.contents import Contents

STORE_DIR = "/nix/store"
"""The store's directory on nearly every machine; it is part of what is hashed."""
TREE_NAME = "source"
"""The name of a tree in a store, as Nix's own fetchers name what they fetch."""

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"  # no e, o, t, u
_PATH_BYTES = 20
_MAX_NAME = 200  # Nix allows 211
_NOT_IN_A_NAME = re.compile(rb"[^A-Za-z0-9+._?=-]")


def nix32(digest: bytes) -> str:
    """Return a digest in Nix's own base 32: from the end, five bits a character."""
    number = int.from_bytes(digest, "little")
    length = (len(digest) * 8 + 4) // 5
    return "".join(_ALPHABET[number >> 5 * index & 31] for index in reversed(range(length)))


def path_of_tree(nar_sha256: bytes, *, store_dir: str = STORE_DIR) -> str:
    """Return the path of a tree whose NAR has this SHA-256."""
    return _path("source", nar_sha256.hex(), TREE_NAME, store_dir)


def path_of_file(sha256: bytes, name: str, *, store_dir: str = STORE_DIR) -> str:
    """Return the path of a file with this SHA-256, as `builtins.fetchurl` adds it; see `name_of`."""
    fixed = hashlib.sha256(f"fixed:out:sha256:{sha256.hex()}:".encode()).hexdigest()
    return _path("output:out", fixed, name, store_dir)


def name_of(url: str) -> str:
    """Return the name of a file in a store: the last segment of its URL, without characters that Nix forbids.

    nix/lock.nix does the same in Nix, where there are bytes and no characters.
    """
    path = re.split("[?#]", url, maxsplit=1)[0].rstrip("/")
    last = path.rpartition("/")[2].encode("utf-8", "surrogatepass")
    name = _NOT_IN_A_NAME.sub(b"-", last)[:_MAX_NAME].decode()
    return f"source{name}" if not name or name.startswith(".") else name


def _path(kind: str, inner: str, name: str, store_dir: str) -> str:
    digest = hashlib.sha256(f"{kind}:sha256:{inner}:{store_dir}:{name}".encode()).digest()
    folded = bytearray(_PATH_BYTES)
    for index, byte in enumerate(digest):
        folded[index % _PATH_BYTES] ^= byte
    return f"{store_dir}/{nix32(bytes(folded))}-{name}"


# -- store paths of a lock -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pinned:
    """A tree, or the file of a url: `what` names it in messages, `path` is its path in a Nix store."""

    what: str
    path: str
    content: Content

    def add_to(self, contents: Contents) -> None:
        """Make the files readable from `contents`."""
        match self.content:
            case PackedTree():
                contents.add_tree(self.content)
            case SingleFile():
                contents.add_blob(self.content.blob)


def all_pinned(lock: Lock, *, store_dir: str) -> tuple[Pinned, ...]:
    """Return sources and derived trees in the order of the lock, each path once.

    Raises:
        LockInvalid: a source's status is not ok, or the lock has no narHash for a tree.
    """
    for source in lock.sources:
        if source.status != "ok":
            raise LockInvalid(
                subject=f"source {source.name}",
                check=f"locked with the status {source.status}",
                remedy=f"agent-sync update {source.name}",
            )
    by_path = {each.path: each for each in reversed(list(_all(lock, store_dir)))}
    return tuple(reversed(by_path.values()))


def nar_sha256(packed: PackedTree) -> bytes:
    """Return the digest in the tree's narHash, which must be there."""
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
                    check="the lock has no narHash for this tree; another implementation wrote it",
                    remedy="agent-sync update",
                )
            case PackedTree():
                yield Pinned(what, path_of_tree(nar_sha256(content), store_dir=store_dir), content)
