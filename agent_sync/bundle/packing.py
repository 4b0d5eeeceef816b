"""An item of a lock -> the artifact that carries it: the same content gives the same manifest, whoever packs it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import CONFIG, LAYER_RAW, LAYER_TAR, LAYER_ZSTD
from agent_sync.ports import BlobStore, Folder, NewFile
from agent_sync.store.blobs import corrupt
from agent_sync.tree import RelPath
from agent_sync.tree.compression import compress
from agent_sync_oci.canonical import canonical_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Manifest

Compression = Literal["zstd", "none"]

_COMPRESSED = RelPath("layer")


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes that a descriptor promises; `open` may be called again, for another try."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class PackedItem:
    """An artifact: its manifest and the two blobs that this names, the config first."""

    manifest: Manifest
    bodies: tuple[Body, Body]


@contextmanager
def packed(item: Item, store: BlobStore, *, compression: Compression) -> Iterator[PackedItem]:
    """The item as an artifact, for as long as the caller needs it. Only trees are compressed.

    Raises: BlobCorrupt, BytesUnavailable, FileFault (the store).
    """
    with store.scratch() as scratch:
        layer = _compressed(item, store, scratch) if item.packed and compression == "zstd" else _plain(item, store)
        config = config_of(item, size=store.size(item.blob) or 0)
        described = Descriptor(CONFIG, Digest.of(config), len(config))
        manifest = Manifest.make(artifact_type=item.artifact_type, config=described, layers=(layer.descriptor,))
        yield PackedItem(manifest, (Body(described, lambda: io.BytesIO(config)), layer))


def config_of(item: Item, *, size: int) -> bytes:
    """What the artifact says of its content; of nothing else, so that the same content has one manifest."""
    said: dict[str, str | int] = {"blob": item.blob, "size": size}
    if item.packed is not None and item.packed.nar_hash is not None:
        said["narHash"] = item.packed.nar_hash
    return canonical_json(said)


def _plain(item: Item, store: BlobStore) -> Body:
    """The blob as it lies in the store. Its digest is its name, so a corrupt one is refused by whoever takes it."""
    media_type = LAYER_RAW if item.packed is None else LAYER_TAR
    size = store.size(item.blob)
    if size is None:
        store.open(item.blob)  # says that it is not there
    return Body(Descriptor(media_type, item.blob, size or 0), lambda: store.open(item.blob))


def _compressed(item: Item, store: BlobStore, scratch: Folder) -> Body:
    target = _Hashing(scratch.open_new(_COMPRESSED))
    try:
        with store.open(item.blob) as content:
            verified = _Verified(content)
            compress(verified, target, size=store.size(item.blob) or 0)
    finally:
        target.close()
    if verified.digest != item.blob:
        raise corrupt(item.blob, f"its bytes have the sha256 {verified.digest.hex}")
    descriptor = Descriptor(LAYER_ZSTD, target.digest, target.size)
    return Body(descriptor, lambda: scratch.open(_COMPRESSED))


class _Verified:
    """Reads on, and knows the digest of what was read."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        piece = self._content.read(size)
        self._sha256.update(piece)
        return piece

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(self._sha256.hexdigest())


class _Hashing:
    """Writes on, and knows the digest and the length of what was written."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes, /) -> int:
        self._sha256.update(piece)
        self.size += len(piece)
        self._file.write(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(self._sha256.hexdigest())
