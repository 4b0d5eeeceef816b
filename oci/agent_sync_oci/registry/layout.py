"""An image layout in a directory: what a bundle is on a USB stick, or on a disk that several machines share.

The directory may be reached through links; inside, none is followed. Blobs and the index appear whole under their
names, and no change that another process makes to the index is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from agent_sync_oci.digest import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest
from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.reference import LAYOUT
from agent_sync_oci.registry.files import (
    OPEN_DIRECTORY,
    TEMPORARY,
    AtomicFile,
    file_errors,
    file_identity,
    flush_file_system,
    open_directory,
    open_file,
    open_reader,
    read_from,
    release,
    remove_stale,
    size_of,
    write_all,
)
from agent_sync_oci.registry.image_layout import NO_ENTRIES, ImageLayout, LayoutIndex, check_version, read_index
from agent_sync_oci.registry.protocol import OpenBody, chunks_of, copy_verified

# O_NOFOLLOW and O_NONBLOCK: the file may be a link or a fifo that somebody has put there.
_OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_POLL_S = 0.01
WAIT_S = 60.0


@contextmanager
def index_locked(directory: int, *, label: str, wait_s: float = WAIT_S) -> Iterator[int]:
    """Hold the lock under which the index of a layout changes, and yield the descriptor of the locked file.

    That file is `oci-layout`, made empty if it was missing: every layout has it and nobody replaces it, so no lock file
    is left behind. The kernel releases the lock when its process ends, however that happens.

    Raises:
        FileSystemError: another process holds the lock for longer than `wait_s`.
        OSError: the system refused.
    """
    descriptor = os.open(LAYOUT_FILE, _OPENING, 0o644, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "not a regular file", LAYOUT_FILE)
        _wait_for(descriptor, label, wait_s)
        yield descriptor
    finally:
        release(descriptor)


def _wait_for(descriptor: int, label: str, wait_s: float) -> None:
    give_up = time.monotonic() + wait_s
    # Polled, since a blocking flock(2) has no time-out.
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise FileSystemError(
                    subject=label,
                    check=f"locked by another process for more than {wait_s:g} s",
                    remedy="end that process, then run the command again",
                ) from None
        time.sleep(_POLL_S)


class IndexFile:
    """The `index.json` of a layout: read again only when the file has changed, and changed under the lock.

    Its methods take the directory's descriptor; they raise OSError, and what reading an index raises.
    """

    def __init__(self, *, label: str, wait_s: float) -> None:
        self._label = label
        self._wait_s = wait_s
        self._index = NO_ENTRIES
        self._identity: tuple[int, ...] = ()
        self._descriptor: int | None = None  # kept open, so that no other file can get its inode number meanwhile
        self._reading = threading.Lock()

    def read(self, directory: int) -> LayoutIndex:
        """Return the index as it is now; an empty one if the file is missing."""
        with self._reading:
            try:
                now = os.stat(INDEX_FILE, dir_fd=directory, follow_symlinks=False)
                if self._descriptor is None or file_identity(now) != self._identity:
                    self._read_again(directory)
            except FileNotFoundError:
                return NO_ENTRIES
            return self._index

    def change(self, directory: int, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Replace the index by what `change` makes of it, under the lock."""
        with index_locked(directory, label=self._label, wait_s=self._wait_s):
            before = self.read(directory)
            after = change(before)
            if after != before:
                with AtomicFile(directory, label=self._label) as file:
                    file.write(after.content)
                    file.publish(INDEX_FILE)
                    with self._reading:
                        self._remember(after, os.dup(file.descriptor), file_identity(os.fstat(file.descriptor)))

    def close(self) -> None:
        """Release the file."""
        with self._reading:
            self._release()

    def _read_again(self, directory: int) -> None:
        descriptor = open_file(INDEX_FILE, directory)
        with ExitStack() as on_error:
            on_error.callback(release, descriptor)
            found = file_identity(os.fstat(descriptor))  # before reading: somebody may write to the file meanwhile
            with open(descriptor, "rb", closefd=False) as file:
                index = read_index(file, subject=self._label)
            on_error.pop_all()
        self._remember(index, descriptor, found)

    def _remember(self, index: LayoutIndex, descriptor: int, found: tuple[int, ...]) -> None:
        """Keep the index of the file that is open there, and that was `found` so."""
        self._release()
        self._index, self._descriptor, self._identity = index, descriptor, found

    def _release(self) -> None:
        if self._descriptor is not None:
            release(self._descriptor)
        self._descriptor, self._identity = None, ()


@dataclass(frozen=True, slots=True)
class OpenLayout:
    """The descriptors of a layout's directory, and of the directory of its blobs."""

    root: int
    blobs: int

    def close(self) -> None:
        release(self.blobs)
        release(self.root)


class LayoutDirectory:
    """A directory that is an image layout, or becomes one; opened when it is first needed.

    Its methods raise OSError, and FileSystemError for what is not a layout.
    """

    def __init__(self, path: str, *, label: str, wait_s: float) -> None:
        self._path = path
        self._label = label
        self._wait_s = wait_s
        self._opened: OpenLayout | None = None
        self._made = False
        self._changing = threading.Lock()

    def existing(self) -> OpenLayout | None:
        """Open the layout for reading; None if the directory is missing, or empty yet."""
        with self._changing:
            return self._open()

    def create(self) -> OpenLayout:
        """Open the layout for writing: make it if it is missing, and remove what a killed process left."""
        with self._changing:
            if not self._made:
                os.makedirs(self._path, exist_ok=True)
                self._make()
            opened = self._open()
            assert opened is not None, "the layout was just made"
            if not self._made:
                remove_stale(opened.root)
                remove_stale(opened.blobs)
            self._made = True
            return opened

    def close(self, *, flush: bool) -> None:
        """Release everything. With `flush`, what was written survives if the disk is pulled out at once."""
        with self._changing:
            opened, self._opened = self._opened, None
            if opened is None:
                return
            try:
                if flush and self._made:
                    flush_file_system(opened.root)
            finally:
                opened.close()

    def _open(self) -> OpenLayout | None:
        if self._opened is None:
            with suppress(FileNotFoundError):
                root = os.open(self._path, OPEN_DIRECTORY)
                try:
                    self._opened = self._open_layout(root)
                finally:
                    if self._opened is None:
                        release(root)
        return self._opened

    def _open_layout(self, root: int) -> OpenLayout | None:
        if not size_of(LAYOUT_FILE, root):  # empty for a moment, while another process makes the layout
            self._refuse_other_files(root)
            return None
        with read_from(open_reader(LAYOUT_FILE, root)) as file:
            check_version(file, subject=self._label)
        above, name = BLOBS_DIRECTORY.split("/")
        blobs = open_directory(above, root)
        try:
            return OpenLayout(root, open_directory(name, blobs))
        finally:
            release(blobs)

    def _make(self) -> None:
        root = os.open(self._path, OPEN_DIRECTORY)
        try:
            self._refuse_other_files(root)
            with index_locked(root, label=self._label, wait_s=self._wait_s) as oci_layout:
                if os.fstat(oci_layout).st_size == 0:
                    write_all(oci_layout, LAYOUT_CONTENT)
                _make_directories(root)
                if INDEX_FILE not in os.listdir(root):  # not `exists`: a dangling link must not be replaced
                    with AtomicFile(root, label=self._label) as index:
                        index.write(EMPTY_INDEX)
                        index.publish(INDEX_FILE)
        finally:
            release(root)

    def _refuse_other_files(self, root: int) -> None:
        others = [name for name in os.listdir(root) if name != LAYOUT_FILE and not name.startswith(TEMPORARY)]
        # Asked last: another process may be making the layout, and makes this file before any other.
        if others and size_of(LAYOUT_FILE, root) is None:
            raise FileSystemError(
                subject=self._label,
                check="not an image layout, and not empty",
                remedy="name a directory that is empty or does not exist yet",
            )


def _make_directories(root: int) -> None:
    above, name = BLOBS_DIRECTORY.split("/")
    with suppress(FileExistsError):
        os.mkdir(above, dir_fd=root)
    blobs = open_directory(above, root)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=blobs)
    finally:
        release(blobs)


class LayoutRegistry(ImageLayout):
    """Implements `Registry`. A missing directory holds nothing, and is made by the first write."""

    def __init__(self, directory: str, *, wait_s: float = WAIT_S) -> None:
        """`wait_s` is how long another process may hold the lock of the index."""
        super().__init__(LAYOUT + directory)
        self._directory = LayoutDirectory(directory, label=self.name, wait_s=wait_s)
        self._index_file = IndexFile(label=self.name, wait_s=wait_s)

    def blob_size(self, digest: Digest) -> int | None:
        with file_errors(self.name, "look for a blob"):
            here = self._directory.existing()
            return None if here is None else size_of(digest.hex, here.blobs)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:  # noqa: ARG002
        with file_errors(self.name, "write"):
            here = self._directory.create()
            # A blob of the right size is not read again: whoever reads one verifies it.
            if size_of(blob.digest.hex, here.blobs) == blob.size:
                return
        with AtomicFile(here.blobs, label=self.name) as file:
            with open_body() as body:
                copy_verified(chunks_of(body), blob, file.write, label="the sender")
            file.publish(blob.digest.hex)

    def close(self) -> None:
        with file_errors(self.name, "write to the disk"):
            self._index_file.close()
            self._directory.close(flush=True)

    def _abandon(self) -> None:
        self._index_file.close()
        self._directory.close(flush=False)

    def _open(self, digest: Digest) -> BinaryIO | None:
        with file_errors(self.name, f"read the blob {digest}"):
            here = self._directory.existing()
            try:
                return None if here is None else open_reader(digest.hex, here.blobs)
            except FileNotFoundError:
                return None

    def _missing(self) -> str | None:
        return None if os.path.lexists(self.name.removeprefix(LAYOUT)) else "no such directory"

    def _index(self) -> LayoutIndex:
        with file_errors(self.name, "read index.json"):
            here = self._directory.existing()
            return NO_ENTRIES if here is None else self._index_file.read(here.root)

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        with file_errors(self.name, "change index.json"):
            self._index_file.change(self._directory.create().root, change)
