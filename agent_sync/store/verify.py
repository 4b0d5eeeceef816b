"""Verify whole blobs against their names, and against everything that a lock says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from agent_sync.errors import AgentSyncError, BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.events import BlobSetAside, Observer
from agent_sync.lock.consistency import REMEDY
from agent_sync.lock.model import PackedTree
from agent_sync.ports import BlobStore
from agent_sync.store.blobs import CHUNK_BYTES, OpenBlobs, corrupt_error, hash_blob
from agent_sync.store.tar import Span, TarMismatch, find_spans
from agent_sync.tree import RelPath, Tree
from agent_sync.tree.tarball import FileToPack, Packed, pack
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted


def verify_blob(digest: Digest, store: BlobStore) -> None:
    """Nothing, if the blob's bytes hash to its name. Raises BlobCorrupt, BytesUnavailable, FileSystemError."""
    actual = hash_blob(digest, store)
    if actual != digest:
        raise corrupt_error(digest, f"its bytes have the sha256 {actual.hex}")


def is_whole(digest: Digest, store: BlobStore, *, observer: Observer) -> bool:
    """Whether the blob is in the store, and is what its name says; a corrupt one is set aside. Raises:
    FileSystemError.
    """
    try:
        verify_blob(digest, store)
    except BytesUnavailable:
        return False
    except BlobCorrupt:
        store.set_aside(digest)
        observer(BlobSetAside(digest))
        return False
    return True


def verify_packed(packed: PackedTree, store: BlobStore, *, subject: str = "the lock") -> None:
    """Nothing, if blob, length, every header, every file and the narHash agree with each other.

    First the blob is what its name says; then its files, packed once more, give all that the lock says of it. What it
    does not say, as another implementation's lock may not, is not compared.
    `subject` is who says so, for messages.

    Raises:
        BlobCorrupt: the blob's bytes have changed.
        LockInvalid: the blob is whole, and the lock says something else of it; or the lock names no blob.
        BytesUnavailable: the blob is not in the store.
        FileSystemError: the system could not read it.
    """
    if packed.blob is None:
        raise _disagreement(subject, "it names no blob")
    verify_blob(packed.blob, store)
    try:
        again, blob = _repack(packed.files, packed.blob, store)
    except TarMismatch as error:
        raise _disagreement(subject, f"in blob {packed.blob} {error}") from error
    for fault in _differences(packed, again, blob):
        raise _disagreement(subject, f"of blob {packed.blob}, {fault}")


def verify_file(digest: Digest, size: int | None, store: BlobStore, *, subject: str = "the lock") -> None:
    """Nothing, if the blob is the file that its name says, and as long as the lock says, if it does.

    Raises: as `verify_packed`.
    """
    verify_blob(digest, store)
    actual = store.size(digest)
    if size not in (None, actual):
        check = f"of blob {digest}, the length is {actual} bytes, the lock says {size}"
        raise LockInvalid(subject=subject, check=check, remedy=REMEDY)


def _repack(files: Tree, blob: Digest, store: BlobStore) -> tuple[Packed, Digest]:
    tar = hashlib.sha256()
    blobs = OpenBlobs(store)
    try:
        found = find_spans(files, partial(blobs.read, blob))
        to_pack = (
            FileToPack(path, span.size, _pieces(blobs, blob, span), executable=entry.executable)
            for (path, entry), (_, span) in zip(files.items(), found, strict=True)
        )
        return pack(to_pack, tar.update), Digest.from_hex(tar.hexdigest())
    finally:
        blobs.close()


def _pieces(blobs: OpenBlobs, blob: Digest, span: Span) -> Iterator[bytes]:
    for start in range(0, span.size, CHUNK_BYTES):
        yield blobs.read(blob, span.offset + start, min(span.size - start, CHUNK_BYTES))


def _differences(packed: PackedTree, again: Packed, blob: Digest) -> Iterator[str]:
    for change in packed.files.changes_to(again.tree):
        yield _file_difference(change.path, packed.files, again.tree)
    if packed.size not in (None, again.size):
        yield f"the length is {again.size} bytes, the lock says {packed.size}"
    if packed.nar_hash not in (None, again.nar_hash):
        yield f"the narHash is {again.nar_hash}, the lock says {packed.nar_hash}"
    if packed.blob != blob:
        yield f"the files have another canonical tar: {blob}"


def _file_difference(path: RelPath, locked: Tree, actual: Tree) -> str:
    return f"file {quoted(path)} has the sha256 {actual[path].sha256}, the lock says {locked[path].sha256}"


def _disagreement(subject: str, check: str) -> LockInvalid:
    return LockInvalid(
        subject=subject,
        check=f"the list of files and the blob disagree: {check}",
        remedy=REMEDY,
    )


def mismatch_error(digest: Digest, store: BlobStore, check: str) -> AgentSyncError:
    """The error for a blob that is not what the lock says of it.

    BlobCorrupt if its bytes have changed; LockInvalid if they are the ones that the digest promises: then another copy
    of the blob would be no better, and setting this one aside would only lose it.
    """
    actual = hash_blob(digest, store)
    if actual != digest:
        return corrupt_error(digest, f"{check} (its sha256 is {actual.hex})")
    return LockInvalid(
        subject=f"the tree of blob {digest}",
        check=f"the lock's list of files and its blob disagree: {check}",
        remedy=REMEDY,
    )
