"""Verify blobs against their names and everything that a lock says of them, in the cache or while received."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from functools import partial

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.events import BlobSetAside, Observer
from agent_sync.ports import BlobStore
from agent_sync.sources.content import PackedTree
from agent_sync.sources.table import REMEDY
from agent_sync.store.blobs import CHUNK_BYTES, OpenBlobs, corrupt_error, hash_blob
from agent_sync.store.contents import Span, TarMismatch, find_spans
from agent_sync.tree import Change, Entry, RelPath, Sha256, Tree, describe_changes, nar
from agent_sync.tree.tarball import FileToPack, Packed, TarWalk, header_length, match_header, pack, padding
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

_Parser = Generator[tuple[int, int], memoryview, None]
"""A coroutine that yields how many bytes it needs next: at least so many, and no more than so many."""


def verify_blob(digest: Digest, store: BlobStore) -> None:
    """Raise BlobCorrupt if the blob's bytes do not hash to its name; BytesUnavailable, FileSystemError."""
    actual = hash_blob(digest, store)
    if actual != digest:
        raise corrupt_error(digest, f"the sha256 of its bytes is {actual.hex}")


def is_whole(digest: Digest, store: BlobStore, *, observer: Observer) -> bool:
    """Return whether the blob is in the cache and matches its name; set a corrupt one aside. Raise FileSystemError."""
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
    """Raise unless blob, length, every header, every file, and the narHash agree with each other.

    The blob is hashed first; then its files, packed once more, must give all that the lock says of it. What the lock
    does not say, as another implementation's may not, is not compared. `subject` names the lock in messages.

    Raises:
        BlobCorrupt: the blob's bytes have changed.
        LockInvalid: the blob is whole, and the lock says something else of it; or the lock names no blob.
        BytesUnavailable: the blob is not in the cache.
        FileSystemError: the system could not read it.
    """
    if packed.blob is None:
        raise _disagreement(subject, "the lock names no blob")
    verify_blob(packed.blob, store)
    try:
        again, blob = _repack(packed.files, packed.blob, store)
    except TarMismatch as error:
        raise _disagreement(subject, f"in blob {packed.blob} {error}") from error
    for fault in _differences(packed, again, blob):
        raise _disagreement(subject, f"of blob {packed.blob}, {fault}")


def verify_file(digest: Digest, size: int | None, store: BlobStore, *, subject: str = "the lock") -> None:
    """Raise unless the blob matches its name, and its length the lock's, if the lock has one.

    Raises: see `verify_packed`.
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
    if changes := packed.files.changes_to(again.tree):
        yield _describe_differing(changes)
    if packed.size not in (None, again.size):
        yield f"the length is {again.size} bytes, the lock says {packed.size}"
    if packed.nar_hash not in (None, again.nar_hash):
        yield f"the narHash is {again.nar_hash}, the lock says {packed.nar_hash}"
    if packed.blob != blob:
        yield f"the files have another canonical tar: {blob}"


def _describe_differing(changes: Sequence[Change]) -> str:
    """Return what a message says of files whose contents are not as locked: the first with its digests, and others."""
    (path, locked, actual), *others = changes
    assert locked is not None, "the headers of both trees are the same"
    assert actual is not None, "as above"
    first = f"file {quoted(path)} has the sha256 {actual.sha256}, the lock says {locked.sha256}"
    return f"{first}; also {describe_changes(others)}" if others else first


def _disagreement(subject: str, check: str) -> LockInvalid:
    return LockInvalid(
        subject=subject,
        check=f"the list of files and the blob disagree: {check}",
        remedy=REMEDY,
    )


class ReceivedTar:
    """A canonical tar compared with all that the lock says of its files while its bytes come in, in pieces of any size.

    Whoever writes the tar to the cache hashes every byte as well, and so finds whether the whole is the locked blob.
    """

    def __init__(self, packed: PackedTree, *, subject: str) -> None:
        """`subject` names the lock in messages."""
        self._packed = packed
        self._subject = subject
        self._size = 0
        self._held = b""
        self._changes: list[Change] = []
        self._fault: str | None = "the tar ends too soon"
        self._nar = nar.NarHash()
        self._steps = self._walk()
        self._least, self._most = next(self._steps)

    def write(self, piece: bytes, /) -> None:
        """Compare the bytes that come next. `finish` reports what is wrong with them."""
        self._size += len(piece)
        left = memoryview(self._held + piece if self._held else piece)
        while 0 < self._least <= len(left):
            taken, left = left[: self._most], left[self._most :]
            self._take(taken)
        self._held = bytes(left) if self._least else b""

    @property
    def difference(self) -> str | None:
        """The first files, or the header, that differ from the lock in what came so far; None if all of it is right."""
        return _describe_differing(self._changes) if self._changes else self._fault

    def finish(self) -> None:
        """Raise LockInvalid unless headers, files, length, and narHash are what the lock says, as far as it does."""
        fault = self.difference
        if fault is None and self._packed.size not in (None, self._size):
            fault = f"the length is {self._size} bytes, the lock says {self._packed.size}"
        if fault is None and self._packed.nar_hash not in (None, self._nar.sri()):
            fault = f"the narHash is {self._nar.sri()}, the lock says {self._packed.nar_hash}"
        if fault is not None:
            check = f"the list of files and the blob disagree: in blob {self._packed.blob} {fault}"
            raise LockInvalid(subject=self._subject, check=check, remedy=REMEDY)

    def _take(self, piece: memoryview) -> None:
        try:
            self._least, self._most = self._steps.send(piece)
        except StopIteration:
            self._fault, self._least = None, 0
        except TarMismatch as error:
            self._fault, self._least = str(error), 0

    def _walk(self) -> _Parser:
        """Parse the tar, block by block. All between the contents of two files comes as one piece."""
        walk = TarWalk()
        before = b""
        for path, entry in self._packed.files.items():
            directories, nar_part = walk.enter(path)
            self._nar.add(nar_part)
            size = yield from self._header(before + directories, path, entry)
            yield from self._content(path, entry, size)
            before = padding(size)
        end, nar_part = walk.finish()
        self._nar.add(nar_part)
        if (yield _exactly(len(before) + len(end))) != before + end:
            raise TarMismatch("the end is not that of a canonical tar")

    def _header(self, before: bytes, path: RelPath, entry: Entry) -> Generator[tuple[int, int], memoryview, int]:
        name = path.encode()
        found = bytes((yield _exactly(len(before) + header_length(name))))
        size = match_header(found, before, name, executable=entry.executable)
        if size is None:
            raise TarMismatch(f"the bytes before file {quoted(path)} are not those of a canonical tar")
        self._nar.add(nar.before_file(name.rpartition(b"/")[2], size, executable=entry.executable))
        return size

    def _content(self, path: RelPath, entry: Entry, size: int) -> _Parser:
        sha256 = hashlib.sha256()
        left = size
        while left:
            piece = yield (1, left)
            sha256.update(piece)
            self._nar.add(piece)
            left -= len(piece)
        self._nar.add(nar.after_file(size))
        actual = Sha256(sha256.hexdigest())
        if actual != entry.sha256:  # the parser goes on, to name more than the first file
            self._changes.append(Change(path, entry, Entry(actual, entry.executable)))


def _exactly(count: int) -> tuple[int, int]:
    return count, count
