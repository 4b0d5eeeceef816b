"""An artifact of a place -> the blob that the lock pins, in the store; nothing that the place says is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from agent_sync.bundle.handing_over import HandedOver
from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import LAYER_RAW, LAYER_TAR, LAYER_ZSTD, RENDERED, SOURCE
from agent_sync.bundle.packing import Check
from agent_sync.errors import ContentMismatch, LimitExceeded
from agent_sync.escaping import shown
from agent_sync.ports import BlobStore
from agent_sync.store.arriving import ArrivingTree
from agent_sync.tree.compression import Decompressing
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry

_OVERHEAD_BYTES = 64 * 1024
_LARGE_BYTES = 1 << 20  # from here on, another thread takes its part of the work
_REMEDY = "do not use this place: it serves something else than the lock pins; or push the bundle to it again"

Write = Callable[[bytes], object]


def unpack(
    manifest: Manifest | Index, item: Item, registry: Registry, store: BlobStore, *, max_bytes: int, check: Check
) -> None:
    """The item's blob is in the store, and is exactly what the lock says, down to each file.

    1 one layer, of a type that we make; 2 not longer than the lock lets it be; 3 its bytes have its digest (the
    registry's promise); 4 unfolded they are not longer than the lock says, than `max_bytes` where it does not say;
    5 they are the lock's blob; 6 the files in it are the lock's.

    Raises: ContentMismatch, LimitExceeded, LockInvalid, FileFault, and what reading from the registry raises.
    """
    arriving = None if item.packed is None else ArrivingTree(item.packed, subject=item.what)
    with store.writer() as writer:

        def write(piece: bytes) -> None:
            check()
            writer.write(piece)
            if arriving is not None:
                arriving.write(piece)

        layer = _layer(manifest, item)
        if layer.size < _LARGE_BYTES:
            _unfold(layer, item, registry, write, max_bytes=max_bytes)
        else:
            with HandedOver(write) as handed_over:
                _unfold(layer, item, registry, handed_over.write, max_bytes=max_bytes)
        try:
            writer.commit(item.blob)
        except ContentMismatch as error:
            said = f"of what {registry.name} has for it, {error.check}"
            raise ContentMismatch(subject=item.what, check=said, remedy=_REMEDY) from error
    if arriving is not None:
        arriving.finish()


def prove(manifest: Manifest | Index, item: Item, registry: Registry, *, max_bytes: int, check: Check) -> None:
    """Nothing, if the artifact carries the item's blob: all of it is read, and nothing kept.

    Raises: ContentMismatch, LimitExceeded, and what reading from the registry raises.
    """
    sha256 = hashlib.sha256()

    def write(piece: bytes) -> None:
        check()
        sha256.update(piece)

    _unfold(_layer(manifest, item), item, registry, write, max_bytes=max_bytes)
    if Digest.from_hex(sha256.hexdigest()) != item.blob:
        said = f"what {registry.name} has for it has the sha256 {sha256.hexdigest()}"
        raise ContentMismatch(subject=item.what, check=said, remedy=_REMEDY)


def _unfold(layer: Descriptor, item: Item, registry: Registry, write: Write, *, max_bytes: int) -> None:
    bound = max_bytes if item.size is None else item.size
    if layer.size > bound + bound // 128 + _OVERHEAD_BYTES:
        check = f"{registry.name} offers {layer.size} bytes for it, and it has {bound} unpacked"
        raise LimitExceeded(subject=item.what, check=check, remedy=_REMEDY)
    if layer.media_type == LAYER_ZSTD:
        write = Decompressing(write, max_bytes=bound, subject=item.what).write
    registry.get_blob(layer, write)


def _layer(manifest: Manifest | Index, item: Item) -> Descriptor:
    allowed = (LAYER_RAW,) if item.packed is None else (LAYER_ZSTD, LAYER_TAR)
    if (
        not isinstance(manifest, Manifest)
        or manifest.artifact_type not in (SOURCE, RENDERED)  # the same bytes may be both, and travel once
        or len(manifest.layers) != 1
        or manifest.layers[0].media_type not in allowed
    ):
        check = f"{manifest.digest} is no artifact that carries it (its type is {shown(str(manifest.artifact_type))})"
        raise ContentMismatch(subject=item.what, check=check, remedy=_REMEDY)
    return manifest.layers[0]
