"""An image layout in one tar file, as `skopeo copy` and `podman save --format oci-archive` write it.

Blobs are read in place; nothing is extracted. New blobs go to an unnamed file beside the archive; closing writes the
whole archive anew, blobs in order of their digests, and then renames it into place.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from agent_sync_oci.digest import BLOBS_DIRECTORY, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest, blob_path
from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.reference import ARCHIVE
from agent_sync_oci.registry.files import (
    OPEN_DIRECTORY,
    AtomicFile,
    chunks_of_file,
    file_errors,
    file_identity,
    open_file,
    release,
    remove_stale,
)
from agent_sync_oci.registry.image_layout import NO_ENTRIES, ImageLayout, LayoutIndex, check_version, read_index
from agent_sync_oci.registry.protocol import OpenBody, Write, chunks_of, copy_verified
from agent_sync_oci.tar import padded
from agent_sync_oci.tar.headers import END, directory_header, file_header
from agent_sync_oci.tar.reader import Member, TarReader
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an open file: `size` bytes from `offset`."""

    descriptor: int
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """Open the piece for reading, from its beginning."""
        return io.BufferedReader(_SpanReader(self))


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An image layout in a tar file that is open for reading; its blobs are not verified."""

    descriptor: int
    identity: tuple[int, ...]
    """Changes whenever the file does."""
    blobs: dict[Digest, Span]
    index: LayoutIndex
    others: tuple[str, ...]
    """The files in the archive that are not part of an image layout."""

    @classmethod
    def open(cls, path: str, *, label: str) -> Self | None:
        """Open the archive at `path`, which errors call `label`; None if there is no such file.

        Raises:
            OSError: the system refused.
            DigestMismatch, LimitExceeded: not an archive of plain files, or its index is invalid.
            FileSystemError: not an image layout.
        """
        try:
            descriptor = open_file(path)
        except FileNotFoundError:
            return None
        with ExitStack() as on_error:
            on_error.callback(release, descriptor)
            archive = cls._read(descriptor, label)
            on_error.pop_all()
        return archive

    @classmethod
    def _read(cls, descriptor: int, label: str) -> Self:
        found = _files(descriptor, label)
        oci_layout, index_json = found.pop(LAYOUT_FILE, None), found.pop(INDEX_FILE, None)
        if oci_layout is None or index_json is None:
            missing = LAYOUT_FILE if oci_layout is None else INDEX_FILE
            raise FileSystemError(
                subject=label,
                check=f"not an image layout: {missing} is missing",
                remedy="write the archive with `skopeo copy ... oci-archive:FILE` or `agent-sync push`",
            )
        check_version(oci_layout.open(), subject=label)
        index = read_index(index_json.open(), subject=label)
        blobs = {digest: found.pop(name) for name in tuple(found) if (digest := _digest(name)) is not None}
        return cls(descriptor, file_identity(os.fstat(descriptor)), blobs, index, tuple(found))

    def close(self) -> None:
        release(self.descriptor)


def _files(descriptor: int, label: str) -> dict[str, Span]:
    with open(descriptor, "rb", closefd=False) as file:
        members = TarReader(file, subject=label, file_size=os.fstat(descriptor).st_size)
        return {member.name: _span(descriptor, member) for member in members if not member.is_directory}


def _span(descriptor: int, member: Member) -> Span:
    return Span(descriptor, member.offset, member.size)


def _digest(name: str) -> Digest | None:
    directory, _, hex_digits = name.rpartition("/")
    try:
        return Digest.from_hex(hex_digits) if directory == BLOBS_DIRECTORY else None
    except ValueError:
        return None


class _SpanReader(io.RawIOBase):
    def __init__(self, span: Span) -> None:
        self._descriptor, self._at, self._end = span.descriptor, span.offset, span.offset + span.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        chunk = os.pread(self._descriptor, min(len(view), self._end - self._at), self._at)
        view[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


class ArchiveRegistry(ImageLayout):
    """Implements `Registry`. A missing file holds nothing, and appears when a registry with changes is closed.

    The content of an existing archive is carried over. If the `with` block ends in an error, the file stays as it was.
    """

    def __init__(self, file: str) -> None:
        super().__init__(ARCHIVE + file)
        self._directory_path, self._file_name = os.path.split(file)
        self._path = file
        self._changing = threading.RLock()  # reentrant: to write, the existing archive is opened
        self._old: ArchiveFile | None = None
        self._looked = False
        self._staging: _Staging | None = None
        self._staged: dict[Digest, Span] = {}
        self._new_index: LayoutIndex | None = None

    def blob_size(self, digest: Digest) -> int | None:
        span = self._span(digest)
        return None if span is None else span.size

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:  # noqa: ARG002
        if self.blob_size(blob.digest) == blob.size:
            return
        staging = self._staging_made()
        span = staging.reserve(blob.size)
        with open_body() as body:
            copy_verified(chunks_of(body), blob, staging.writer(span, label=self.name), label="the sender")
        with self._changing:
            self._staged[blob.digest] = span

    def close(self) -> None:
        try:
            with self._changing, file_errors(self.name, "write"):
                if self._staged or self._new_index is not None:
                    self._write()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        with self._changing:
            for held in (self._old, self._staging):
                if held is not None:
                    held.close()
            self._old = self._staging = self._new_index = None
            self._staged = {}
            self._looked = False

    def _open(self, digest: Digest) -> BinaryIO | None:
        span = self._span(digest)
        return None if span is None else span.open()

    def _missing(self) -> str | None:
        return None if os.path.lexists(self._path) else "no such file"

    def _index(self) -> LayoutIndex:
        old = self._opened()
        return self._new_index or (NO_ENTRIES if old is None else old.index)

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        with self._changing:
            before = self._index()
            after = change(before)
            if after != before:
                self._new_index = after

    # -- the existing archive

    def _opened(self) -> ArchiveFile | None:
        with self._changing, file_errors(self.name, "read"):
            if not self._looked:
                self._old = ArchiveFile.open(self._path, label=self.name)
                self._looked = True
            return self._old

    def _span(self, digest: Digest) -> Span | None:
        old = self._opened()
        return self._staged.get(digest) or (None if old is None else old.blobs.get(digest))

    # -- the new archive

    def _staging_made(self) -> _Staging:
        with self._changing, file_errors(self.name, "write"):
            if self._staging is None:
                old = self._opened()
                if old is not None and old.others:
                    raise FileSystemError(
                        subject=self.name,
                        check=f"file {quoted(old.others[0])} in the archive is not part of an image layout"
                        " and would be lost",
                        remedy="name a file that does not exist yet",
                    )
                self._staging = _Staging(self._directory_path or ".", label=self.name)
            return self._staging

    def _write(self) -> None:
        self._refuse_changed()
        old = self._opened()
        blobs = {**({} if old is None else old.blobs), **self._staged}
        directory = self._staging_made().directory
        with AtomicFile(directory, label=self.name) as file:
            for chunk in self._archive(blobs):
                file.write(chunk)
            file.flush()  # a USB stick is pulled out as soon as the command has ended
            file.publish(self._file_name)
        os.fsync(directory)

    def _archive(self, blobs: dict[Digest, Span]) -> Iterator[bytes]:
        for name, content in (LAYOUT_FILE, LAYOUT_CONTENT), (INDEX_FILE, self._index().content):
            yield file_header(name, len(content)) + content.ljust(padded(len(content)), b"\0")
        above, _, _ = BLOBS_DIRECTORY.partition("/")
        yield directory_header(above) + directory_header(BLOBS_DIRECTORY)
        # In order of digests, so that the same content gives the same archive, byte for byte.
        for digest, span in sorted(blobs.items()):
            yield file_header(blob_path(digest), span.size)
            yield from chunks_of_file(span.open(), label=self.name)
            yield bytes(padded(span.size) - span.size)
        yield END

    def _refuse_changed(self) -> None:
        try:
            now = file_identity(os.stat(self._path))
        except FileNotFoundError:
            now = None
        if now != (None if self._old is None else self._old.identity):
            raise FileSystemError(
                subject=self.name,
                check="another process has written the archive in the meantime",
                remedy="run the command again: what the archive has now will be carried over",
            )


class _Staging:
    """A file without a name for new blobs, one after the other. Its methods raise OSError."""

    def __init__(self, directory: str, *, label: str) -> None:
        os.makedirs(directory, exist_ok=True)
        self.directory = os.open(directory, OPEN_DIRECTORY)
        with ExitStack() as on_error:
            on_error.callback(release, self.directory)
            remove_stale(self.directory)
            self._file = AtomicFile(self.directory, label=label)
            self._file.hide()  # without a name nothing is left behind, however the process ends
            on_error.pop_all()
        self._end = 0
        self._reserving = threading.Lock()

    def reserve(self, size: int) -> Span:
        """Return the span of a new blob, which no other thread gets."""
        with self._reserving:
            span = Span(self._file.descriptor, self._end, size)
            self._end += size
            return span

    def writer(self, span: Span, *, label: str) -> Write:
        """Return what fills the span from its beginning. Raises FileSystemError, which names `label`."""
        at = span.offset

        def write(chunk: bytes) -> None:
            nonlocal at
            view = memoryview(chunk)
            with file_errors(label, "write"):
                while view:
                    written = os.pwrite(span.descriptor, view, at)
                    at += written
                    view = view[written:]

        return write

    def close(self) -> None:
        self._file.close()
        release(self.directory)
