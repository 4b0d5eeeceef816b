"""An image layout in one tar file, as `skopeo copy` and `podman save --format oci-archive` write it.

Blobs are read where they lie in the file; nothing is extracted. What is put goes to a nameless file beside it; closing
writes the whole archive anew, blobs in order of their digests, and then gives it its name in one step.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import PlaceFault, shown
from agent_sync_oci.layout import BLOBS_FOLDER, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, blob_path
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.reference import ARCHIVE
from agent_sync_oci.registry.archive_file import ArchiveFile, Span
from agent_sync_oci.registry.files import FOLDER, chunks_of_file, faults, identity, let_go
from agent_sync_oci.registry.image_layout import ImageLayout
from agent_sync_oci.registry.layout_index import NO_ENTRIES, LayoutIndex
from agent_sync_oci.registry.new_file import NewFile, sweep
from agent_sync_oci.registry.protocol import OpenBody, Write
from agent_sync_oci.registry.verifying import chunks_of, copy_verified
from agent_sync_oci.tar import padded
from agent_sync_oci.tar.writing import END, file_header, folder_header


class ArchiveRegistry(ImageLayout):
    """Implements `Registry`. A file that is missing holds nothing, and appears when a registry with changes is closed.

    What an existing archive holds is carried over. If the `with` block ends in an error, it stays as it was.
    """

    def __init__(self, file: str) -> None:
        super().__init__(ARCHIVE + file)
        self._folder_path, self._file_name = os.path.split(file)
        self._path = file
        self._changing = threading.RLock()
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
            copy_verified(chunks_of(body), blob, staging.writer(span, place=self.name), place="the sender")
        with self._changing:
            self._staged[blob.digest] = span

    def close(self) -> None:
        try:
            with self._changing, faults(self.name, "write"):
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

    def _index(self) -> LayoutIndex:
        old = self._opened()
        return self._new_index or (NO_ENTRIES if old is None else old.index)

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        with self._changing:
            before = self._index()
            after = change(before)
            if after != before:
                self._new_index = after

    # -- what is there

    def _opened(self) -> ArchiveFile | None:
        with self._changing, faults(self.name, "read"):
            if not self._looked:
                self._old = ArchiveFile.open(self._path, place=self.name)
                self._looked = True
            return self._old

    def _span(self, digest: Digest) -> Span | None:
        old = self._opened()
        return self._staged.get(digest) or (None if old is None else old.blobs.get(digest))

    # -- what is new

    def _staging_made(self) -> _Staging:
        with self._changing, faults(self.name, "write"):
            if self._staging is None:
                old = self._opened()
                if old is not None and old.others:
                    raise PlaceFault(
                        subject=self.name,
                        check=f"it holds {shown(old.others[0])}, which is no part of an image layout and would be lost",
                        remedy="name a file that does not exist yet",
                    )
                self._staging = _Staging(self._folder_path or ".", place=self.name)
            return self._staging

    def _write(self) -> None:
        self._refuse_changed()
        old = self._opened()
        blobs = {**({} if old is None else old.blobs), **self._staged}
        folder = self._staging_made().folder
        with NewFile(folder, place=self.name) as file:
            for chunk in self._archive(blobs):
                file.write(chunk)
            file.flush()  # a stick is pulled out as soon as we have ended
            file.publish(self._file_name)
        os.fsync(folder)

    def _archive(self, blobs: dict[Digest, Span]) -> Iterator[bytes]:
        for name, content in (LAYOUT_FILE, LAYOUT_CONTENT), (INDEX_FILE, self._index().content):
            yield file_header(name, len(content)) + content.ljust(padded(len(content)), b"\0")
        above, _, _ = BLOBS_FOLDER.partition("/")
        yield folder_header(above) + folder_header(BLOBS_FOLDER)
        for digest, span in sorted(blobs.items()):
            yield file_header(blob_path(digest), span.size)
            yield from chunks_of_file(span.open(), place=self.name)
            yield bytes(padded(span.size) - span.size)
        yield END

    def _refuse_changed(self) -> None:
        try:
            now = identity(os.stat(self._path))
        except FileNotFoundError:
            now = None
        if now != (None if self._old is None else self._old.identity):
            raise PlaceFault(
                subject=self.name,
                check="another process has written it meanwhile",
                remedy="run this again: what is there now will be carried over",
            )


class _Staging:
    """A file without a name, in which new blobs lie one after the other. Its methods raise OSError."""

    def __init__(self, folder: str, *, place: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self.folder = os.open(folder, FOLDER)
        try:
            sweep(self.folder)
            self._file = NewFile(self.folder, place=place)
            self._file.hide()
        except BaseException:
            let_go(self.folder)
            raise
        self._end = 0
        self._reserving = threading.Lock()

    def reserve(self, size: int) -> Span:
        """The place of a new blob, which nobody else gets."""
        with self._reserving:
            span = Span(self._file.descriptor, self._end, size)
            self._end += size
            return span

    def writer(self, span: Span, *, place: str) -> Write:
        """Fills the span from its beginning. Raises PlaceFault, which names `place`."""
        at = span.offset

        def write(chunk: bytes) -> None:
            nonlocal at
            view = memoryview(chunk)
            with faults(place, "write"):
                while view:
                    written = os.pwrite(span.descriptor, view, at)
                    at += written
                    view = view[written:]

        return write

    def close(self) -> None:
        self._file.close()
        let_go(self.folder)
