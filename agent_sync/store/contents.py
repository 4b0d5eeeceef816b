"""File digest -> the file's bytes, out of canonical tars and loose blobs; every byte is verified on its way out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from agent_sync.errors import AgentSyncError, BytesUnavailable
from agent_sync.lock.model import GitPin, LocalPin, LockedSource, OciPin, PackedTree, UrlPin
from agent_sync.ports import BlobStore
from agent_sync.store.blobs import CHUNK_BYTES, OpenBlobs, not_cached
from agent_sync.store.tar import Span, TarMismatch, find_spans
from agent_sync.store.verify import mismatch_error
from agent_sync.tree import Sha256
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted


class Contents:
    """The files of locked trees, by the digest of their bytes. Any thread may read; blobs stay open until `close`.

    Nothing is opened before the first file of it is asked for; then its headers are compared with the tree, once.

    Raises, from every method that looks into a blob:
        BlobCorrupt: the blob's bytes have changed.
        LockInvalid: the blob is whole, but holds other files than its tree says.
        BytesUnavailable: the blob is not in the store, or no tree here has this file.
        FileSystemError: the system could not read it.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._blobs = OpenBlobs(store)
        self._holder: dict[Sha256, _Container] = {}

    def add_tree(self, packed: PackedTree) -> None:
        """The files of `packed` can be read; a tree without a blob (another implementation's lock) adds none."""
        if packed.blob is not None:
            holder = _Container(packed.blob, packed)
            for entry in packed.files.values():
                self._holder.setdefault(entry.sha256, holder)

    def add_blob(self, digest: Digest) -> None:
        """The file that is this whole blob can be read."""
        self._holder.setdefault(Sha256(digest.hex), _Container(digest))

    def add_source(self, source: LockedSource, *, packed: PackedTree | None = None) -> None:
        """The source's files before any transform can be read; from `packed`, where that has a blob and the lock
        none.
        """
        if packed is not None and packed.blob is not None:
            self.add_tree(packed)
            return
        match source.pin:
            case UrlPin(sha256=sha256):
                self.add_blob(Digest.from_hex(sha256))
            case GitPin() | LocalPin() | OciPin():
                self.add_tree(source.pin.packed)

    def __contains__(self, sha256: object) -> bool:
        """Whether a tree or blob that was added has this file; its bytes are not looked at."""
        return sha256 in self._holder

    def size(self, sha256: Sha256) -> int:
        """The length of the file in bytes."""
        return self._find(sha256)[1].size

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:
        """The file's bytes in pieces of at most 256 KiB; the last one comes only after all have been verified."""
        holder, span = self._find(sha256)
        if span.size > CHUNK_BYTES:
            return self._pieces(holder, span, sha256)
        return iter((self._whole(holder, span, sha256),))

    def peek(self, sha256: Sha256) -> Iterator[bytes]:
        """The same for looking only: all bytes are verified before the first ones come, so the rest can be left.

        What this process has put into the store itself is not hashed again.
        """
        holder, span = self._find(sha256)
        if not self._store.wrote(holder.blob):
            if span.size <= CHUNK_BYTES:
                return self.chunks(sha256)
            for _ in self._pieces(holder, span, sha256):
                pass
        return (
            self._blobs.read(holder.blob, span.offset + start, min(span.size - start, CHUNK_BYTES))
            for start in range(0, span.size, CHUNK_BYTES)
        )

    def _pieces(self, holder: _Container, span: Span, sha256: Sha256) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for start in range(0, span.size, CHUNK_BYTES):
            wanted = min(span.size - start, CHUNK_BYTES)
            chunk = self._blobs.read(holder.blob, span.offset + start, wanted)
            digest.update(chunk)
            if len(chunk) < wanted or (start + wanted == span.size and digest.hexdigest() != sha256):
                raise self._wrong(holder, sha256, digest.hexdigest())
            yield chunk

    def _whole(self, holder: _Container, span: Span, sha256: Sha256) -> bytes:
        content = self._blobs.read(holder.blob, span.offset, span.size)
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise self._wrong(holder, sha256, actual)
        return content

    def close(self) -> None:
        """No blob is open; reading again opens it again."""
        self._blobs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, sha256: Sha256) -> tuple[_Container, Span]:
        holder = self._holder.get(sha256)
        if holder is None:
            raise BytesUnavailable(
                subject=f"the file with sha256 {sha256}", check="no tree of the lock that is at hand has it"
            )
        if holder.spans is None:
            with holder.finding:
                if holder.spans is None:
                    holder.spans = self._spans_of(holder)
        return holder, holder.spans[sha256]

    def _spans_of(self, holder: _Container) -> dict[Sha256, Span]:
        size = self._store.size(holder.blob)
        if size is None:
            raise not_cached(holder.blob)
        packed = holder.packed
        if packed is None:
            return {Sha256(holder.blob.hex): Span(0, size)}
        if packed.size is not None and packed.size != size:
            raise self._blame(holder, f"it has {size} bytes, the lock says {packed.size}")
        try:
            return dict(find_spans(packed.files, partial(self._blobs.read, holder.blob)))
        except TarMismatch as error:
            raise self._blame(holder, str(error)) from error

    def _wrong(self, holder: _Container, sha256: Sha256, actual: str) -> AgentSyncError:
        if holder.packed is None:
            return self._blame(holder, "its bytes are not what its name says")
        path = next(path for path, entry in holder.packed.files.items() if entry.sha256 == sha256)
        return self._blame(holder, f"file {quoted(path)} in it has the sha256 {actual}, the lock says {sha256}")

    def _blame(self, holder: _Container, check: str) -> AgentSyncError:
        self._blobs.forget(holder.blob)  # a whole copy may take its place, and must then be opened anew
        return mismatch_error(holder.blob, self._store, check)


@dataclass(slots=True, eq=False)
class _Container:
    """A blob that holds files: the tar of `packed`, or one loose file."""

    blob: Digest
    packed: PackedTree | None = None
    spans: dict[Sha256, Span] | None = None
    finding: threading.Lock = field(default_factory=threading.Lock)
