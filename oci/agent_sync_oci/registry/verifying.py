"""Bytes on their way, held against the descriptor that promised them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from agent_sync_oci.errors import ContentLies
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import Write

_CHUNK_BYTES = 1 << 18  # larger ones fall out of the processor's cache between being read and being hashed


def copy_verified(chunks: Iterable[bytes], blob: Descriptor, write: Write, *, place: str) -> None:
    """`write` got exactly the bytes that `blob` describes; one byte too many is noticed before it is written.

    Raises ContentLies, which says that `place` gave others.
    """
    for chunk in verified(chunks, blob, place=place):
        write(chunk)


def verified(chunks: Iterable[bytes], blob: Descriptor, *, place: str) -> Iterator[bytes]:
    """The chunks; the last byte comes only if they are what `blob` describes. Raises ContentLies as `copy_verified`."""
    hashing = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > blob.size:
            raise _lies(blob, place, f"it has more than the {blob.size} bytes that its descriptor says")
        hashing.update(chunk)
        if size == blob.size:
            _agree(hashing.hexdigest(), blob, place)
        yield chunk
    if size < blob.size:
        raise _lies(blob, place, f"it ends after {size} of {blob.size} bytes")
    _agree(hashing.hexdigest(), blob, place)  # for the blob without any chunk


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """What is left in `file`, piece by piece."""
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _agree(sha256: str, blob: Descriptor, place: str) -> None:
    if sha256 != blob.digest.hex:
        raise _lies(blob, place, f"its bytes have the sha256 {sha256}")


def _lies(blob: Descriptor, place: str, check: str) -> ContentLies:
    return ContentLies(
        subject=f"blob {blob.digest} in {place}",
        check=check,
        remedy="fetch it from another place, or have it pushed again by somebody who has it",
    )
