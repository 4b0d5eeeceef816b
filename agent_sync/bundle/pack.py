"""Pack a blob into an artifact, and unpack an artifact into the cache.

The same content gives the same manifest, whoever packs it. Nothing that a registry sends is trusted: what is unpacked
is compared with the lock.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import BinaryIO, Literal, Self

from agent_sync.bundle.items import Item
from agent_sync.bundle.names import CONFIG, DERIVED, LAYER_RAW, LAYER_TAR, LAYER_ZSTD, SOURCE
from agent_sync.errors import DigestMismatch, LimitExceeded
from agent_sync.ports import BlobStore, Directory, NewFile, Scratch
from agent_sync.store.blobs import corrupt_error
from agent_sync.store.verify import ReceivedTar
from agent_sync.tree import RelPath
from agent_sync.tree.compression import Decompressing, compress
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.strict_json import canonical_json
from agent_sync_oci.text import quoted

# -- pack ------------------------------------------------------------------------------------------------------------

Compression = Literal["zstd", "none"]
Check = Callable[[], object]
"""A function that is called between pieces of work, and raises to stop."""

_COMPRESSED = RelPath("layer")
_COMPRESSING = threading.BoundedSemaphore(1)
"""One compression at a time: the compressor has threads of its own, and each takes tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes that a descriptor promises; `open` may be called again, for another attempt."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class PackedArtifact:
    """An artifact: its manifest and the two blobs that the manifest names, the config first."""

    manifest: Manifest
    bodies: tuple[Body, Body]


@contextmanager
def packed_artifact(
    item: Item, store: BlobStore, scratch: Scratch, *, compression: Compression, check: Check
) -> Iterator[PackedArtifact]:
    """Pack the item as an artifact that lasts as long as the block. Only trees are compressed.

    Raises:
        BlobCorrupt, BytesUnavailable: the blob in the cache is damaged or missing.
        FileSystemError: the cache cannot be read.
    """
    size = _size(item, store)
    config = _config(item, size=size)
    described = Body(Descriptor(CONFIG, Digest.of(config), len(config)), lambda: io.BytesIO(config))
    media_type = layer_type(item, compression)
    if media_type != LAYER_ZSTD:  # its digest is its name, so a corrupt one is refused by whoever takes it
        plain = Body(Descriptor(media_type, item.blob, size), lambda: store.open(item.blob))
        yield PackedArtifact(_manifest(item.artifact_type, described.descriptor, plain.descriptor), (described, plain))
        return
    with scratch() as directory:
        # Not held while the layer is sent: only compressing takes the memory.
        with _COMPRESSING:
            layer = _compressed(item, store, directory, size=size, check=check)
        yield PackedArtifact(_manifest(item.artifact_type, described.descriptor, layer.descriptor), (described, layer))


def is_artifact_of(manifest: Manifest, item: Item, store: BlobStore, *, compression: Compression) -> bool:
    """Return whether this is the artifact that packing the item gives, with any compressor.

    All but the layer's bytes must be the same. One content may be a source and a derived tree, and is sent once.
    """
    if len(manifest.layers) != 1 or manifest.layers[0].media_type != layer_type(item, compression):
        return False
    # The layer as we would list it: annotations that somebody added must not pass for ours.
    layer = replace(manifest.layers[0], annotations={}, artifact_type=None)
    config = _config(item, size=_size(item, store))
    described = Descriptor(CONFIG, Digest.of(config), len(config))
    return manifest in [_manifest(each, described, layer) for each in (SOURCE, DERIVED)]


def layer_type(item: Item, compression: Compression) -> str:
    """Return the media type of the layer. Only trees are compressed."""
    if item.packed is None:
        return LAYER_RAW
    return LAYER_ZSTD if compression == "zstd" else LAYER_TAR


def _size(item: Item, store: BlobStore) -> int:
    size = store.size(item.blob)
    if size is None:
        store.open(item.blob)  # says that it is not there
    return size or 0


def _config(item: Item, *, size: int) -> bytes:
    """Return the artifact's config, which describes the content and nothing else: the same content has one manifest."""
    said: dict[str, str | int] = {"blob": item.blob, "size": size}
    if item.packed is not None and item.packed.nar_hash is not None:
        said["narHash"] = item.packed.nar_hash
    return canonical_json(said)


def _manifest(artifact_type: str, config: Descriptor, layer: Descriptor) -> Manifest:
    return Manifest.make(artifact_type=artifact_type, config=config, layers=(layer,))


def _compressed(item: Item, store: BlobStore, scratch: Directory, *, size: int, check: Check) -> Body:
    target = _HashingWriter(scratch.open_new(_COMPRESSED))
    try:
        with store.open(item.blob) as content:
            verified = _VerifyingReader(content, check)
            compress(verified, target, size=size)
    finally:
        target.close()
    # What was read is compared, not the file once more: it could change between two reads.
    if verified.digest != item.blob:
        raise corrupt_error(item.blob, f"bytes with the SHA-256 {verified.digest.hex}")
    descriptor = Descriptor(LAYER_ZSTD, target.digest, target.size)
    return Body(descriptor, lambda: scratch.open(_COMPRESSED))


class _VerifyingReader:
    """A reader that knows the digest of what was read."""

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


class _HashingWriter:
    """A writer that knows the digest and the size of what was written."""

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


# -- writer thread ---------------------------------------------------------------------------------------------------

_MAX_QUEUED = 16  # pieces of some hundred kilobytes


class WriterThread:
    """A thread that takes what is written in the block. Leaving the block waits for it, and raises what it raised.

    Once it has failed, more pieces may still be taken: the whole is discarded anyway.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._waiting: deque[Future[object]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="handed-over")

    def write(self, piece: bytes, /) -> None:
        """Hand the piece to the thread. Raises what taking an earlier piece has raised."""
        self._waiting.append(self._pool.submit(self._take, piece))
        # A fast network must not fill the memory with what a slow disk has not taken yet.
        if len(self._waiting) > _MAX_QUEUED:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)


# -- unpack ----------------------------------------------------------------------------------------------------------

_OVERHEAD_BYTES = 64 * 1024
_LARGE_BYTES = 1 << 20  # from here on, another thread takes its part of the work
_REMEDY = "do not use this registry: it serves something else than the lock pins; or push the bundle again"

Write = Callable[[bytes], object]


def unpack(
    manifest: Manifest | Index, item: Item, registry: Registry, store: BlobStore, *, max_bytes: int, check: Check
) -> None:
    """Unpack the artifact: the item's blob is in the cache, and is exactly what the lock pins, down to each file.

    1. It has one layer, of a type that we make. 2. The layer is no larger than the lock permits. 3. Its bytes have its
    digest (the registry protocol sees to that). 4. Decompressed it is no larger than the lock says, or than `max_bytes`
    where the lock has no size. 5. The result is the lock's blob. 6. The files in the blob are the lock's.

    Raises:
        DigestMismatch, LimitExceeded, LockInvalid: one of these does not hold.
        FileSystemError: the cache cannot be written.
        RegistryError: the registry failed.
    """
    arriving = None if item.packed is None else ReceivedTar(item.packed, subject=item.what)
    with store.writer() as writer:

        def write(piece: bytes) -> None:
            check()
            writer.write(piece)
            if arriving is not None:
                arriving.write(piece)

        layer = _layer(manifest, item)
        if layer.size < _LARGE_BYTES:
            _stream_layer(layer, item, registry, write, max_bytes=max_bytes)
        else:
            with WriterThread(write) as handed_over:
                _stream_layer(layer, item, registry, handed_over.write, max_bytes=max_bytes)
        try:
            writer.commit(item.blob)
        except DigestMismatch as error:
            difference = None if arriving is None else arriving.difference
            detail = "" if difference is None else f"; {difference}"
            said = f"in {registry.name}: {error.check}{detail}"
            raise DigestMismatch(subject=item.what, check=said, remedy=_REMEDY) from error
    if arriving is not None:
        arriving.finish()


def verify_artifact(
    manifest: Manifest | Index, item: Item, registry: Registry, *, max_bytes: int, check: Check
) -> None:
    """Verify that the artifact holds the item's blob. All of it is read, and nothing is kept.

    Raises:
        DigestMismatch, LimitExceeded: it does not.
        RegistryError: the registry failed.
    """
    sha256 = hashlib.sha256()

    def write(piece: bytes) -> None:
        check()
        sha256.update(piece)

    _stream_layer(_layer(manifest, item), item, registry, write, max_bytes=max_bytes)
    if Digest.from_hex(sha256.hexdigest()) != item.blob:
        said = f"content in {registry.name} has the SHA-256 {sha256.hexdigest()}"
        raise DigestMismatch(subject=item.what, check=said, remedy=_REMEDY)


def _stream_layer(layer: Descriptor, item: Item, registry: Registry, write: Write, *, max_bytes: int) -> None:
    bound = max_bytes if item.size is None else item.size
    if layer.size > bound + bound // 128 + _OVERHEAD_BYTES:
        check = f"{registry.name} has {layer.size} bytes for {bound} bytes of content"
        raise LimitExceeded(subject=item.what, check=check, remedy=_REMEDY)
    if layer.media_type == LAYER_ZSTD:
        write = Decompressing(write, max_bytes=bound, subject=item.what).write
    registry.get_blob(layer, write)


def _layer(manifest: Manifest | Index, item: Item) -> Descriptor:
    allowed = (LAYER_RAW,) if item.packed is None else (LAYER_ZSTD, LAYER_TAR)
    if (
        not isinstance(manifest, Manifest)
        or manifest.artifact_type not in (SOURCE, DERIVED)  # the same bytes may be both, and are sent once
        or len(manifest.layers) != 1
        or manifest.layers[0].media_type not in allowed
    ):
        check = f"{manifest.digest} is not an artifact for it (type {quoted(str(manifest.artifact_type))})"
        raise DigestMismatch(subject=item.what, check=check, remedy=_REMEDY)
    return manifest.layers[0]
