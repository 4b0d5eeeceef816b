"""An item of a lock -> the artifact that carries it: the same content gives the same manifest, whoever packs it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import CONFIG, LAYER_RAW, LAYER_TAR, LAYER_ZSTD, RENDERED, SOURCE
from agent_sync.ports import BlobStore, Folder, NewFile
from agent_sync.store.blobs import corrupt
from agent_sync.tree import RelPath
from agent_sync.tree.compression import compress
from agent_sync_oci.canonical import canonical_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Manifest

Compression = Literal["zstd", "none"]
Check = Callable[[], object]
"""Is called between pieces of work, and raises to stop."""

_COMPRESSED = RelPath("layer")
_COMPRESSING = threading.BoundedSemaphore(1)
"""One at a time: the compressor has threads of its own, and each takes tens of megabytes."""


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
def packed(item: Item, store: BlobStore, *, compression: Compression, check: Check) -> Iterator[PackedItem]:
    """The item as an artifact, for as long as the caller needs it. Only trees are compressed. `check` is called between
    pieces, and raises to stop.

    Raises: BlobCorrupt, BytesUnavailable, FileFault (the store).
    """
    size = _size(item, store)
    config = _config(item, size=size)
    described = Body(Descriptor(CONFIG, Digest.of(config), len(config)), lambda: io.BytesIO(config))
    media_type = layer_type(item, compression)
    if media_type != LAYER_ZSTD:  # its digest is its name, so a corrupt one is refused by whoever takes it
        plain = Body(Descriptor(media_type, item.blob, size), lambda: store.open(item.blob))
        yield PackedItem(_manifest(item.artifact_type, described.descriptor, plain.descriptor), (described, plain))
        return
    with store.scratch() as scratch:
        with _COMPRESSING:
            layer = _compressed(item, store, scratch, size=size, check=check)
        yield PackedItem(_manifest(item.artifact_type, described.descriptor, layer.descriptor), (described, layer))


def is_artifact_of(manifest: Manifest, item: Item, store: BlobStore, *, compression: Compression) -> bool:
    """Whether this is the artifact that packing the item makes, for some compressor: all but the layer's bytes is as it
    must be. The same bytes may be a source and something rendered, and travel once.
    """
    if len(manifest.layers) != 1 or manifest.layers[0].media_type != layer_type(item, compression):
        return False
    layer = replace(manifest.layers[0], annotations={}, artifact_type=None)
    config = _config(item, size=_size(item, store))
    described = Descriptor(CONFIG, Digest.of(config), len(config))
    return manifest in [_manifest(each, described, layer) for each in (SOURCE, RENDERED)]


def layer_type(item: Item, compression: Compression) -> str:
    """The media type of the layer. Only trees are compressed."""
    if item.packed is None:
        return LAYER_RAW
    return LAYER_ZSTD if compression == "zstd" else LAYER_TAR


def _size(item: Item, store: BlobStore) -> int:
    size = store.size(item.blob)
    if size is None:
        store.open(item.blob)  # says that it is not there
    return size or 0


def _config(item: Item, *, size: int) -> bytes:
    """What the artifact says of its content; of nothing else, so that the same content has one manifest."""
    said: dict[str, str | int] = {"blob": item.blob, "size": size}
    if item.packed is not None and item.packed.nar_hash is not None:
        said["narHash"] = item.packed.nar_hash
    return canonical_json(said)


def _manifest(artifact_type: str, config: Descriptor, layer: Descriptor) -> Manifest:
    return Manifest.make(artifact_type=artifact_type, config=config, layers=(layer,))


def _compressed(item: Item, store: BlobStore, scratch: Folder, *, size: int, check: Check) -> Body:
    target = _Hashing(scratch.open_new(_COMPRESSED))
    try:
        with store.open(item.blob) as content:
            verified = _Verified(content, check)
            compress(verified, target, size=size)
    finally:
        target.close()
    if verified.digest != item.blob:
        raise corrupt(item.blob, f"its bytes have the sha256 {verified.digest.hex}")
    descriptor = Descriptor(LAYER_ZSTD, target.digest, target.size)
    return Body(descriptor, lambda: scratch.open(_COMPRESSED))


class _Verified:
    """Reads on, and knows the digest of what was read."""

    def __init__(self, content: BinaryIO, check: Check) -> None:
        self._content = content
        self._check = check
        self._sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        self._check()
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
