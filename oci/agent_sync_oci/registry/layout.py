"""An image layout in a directory: what a bundle is on a USB stick, or on a disk that several machines share.

The directory may be reached through links; inside, none is followed. Blobs and the index appear whole under their
names,
and no change that another process makes to the index is lost.
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

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.image_spec import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE
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
from agent_sync_oci.registry.image_layout import ImageLayout, check_version, read_index
from agent_sync_oci.registry.layout_index import NO_ENTRIES, LayoutIndex
from agent_sync_oci.registry.protocol import OpenBody, chunks_of, copy_verified

# -- The lock under which the index of a layout directory is changed: its `oci-layout` file, held with flock(2). Every
# layout has that file and nobody replaces it, so no lock file is left behind. The kernel lets go of it when its
# process ends, however it ends.

# O_NOFOLLOW and O_NONBLOCK: it may be a link or a fifo that somebody left for us.
_OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_POLL_S = 0.01
WAIT_S = 60.0


@contextmanager
def index_locked(directory: int, *, place: str, wait_s: float = WAIT_S) -> Iterator[int]:
    """The descriptor of the `oci-layout` file, made empty if it was missing; in the block nobody else has it.

    Raises:
        FileSystemError: another process holds it for longer than `wait_s`.
        OSError: the system refused.
    """
    descriptor = os.open(LAYOUT_FILE, _OPENING, 0o644, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "it is no regular file", LAYOUT_FILE)
        _wait_for(descriptor, place, wait_s)
        yield descriptor
    finally:
        release(descriptor)


def _wait_for(descriptor: int, place: str, wait_s: float) -> None:
    give_up = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise FileSystemError(
                    subject=place,
                    check="another process is changing it, and does not come to an end",
                    remedy="end that process, then run this again",
                ) from None
        time.sleep(_POLL_S)


# -- The `index.json` file of a layout directory: read again only when it is another one, changed under a lock.


class IndexFile:
    """Its methods are given the directory's descriptor; they raise OSError, and what reading an index raises."""

    def __init__(self, *, place: str, wait_s: float) -> None:
        self._place = place
        self._wait_s = wait_s
        self._index = NO_ENTRIES
        self._identity: tuple[int, ...] = ()
        self._descriptor: int | None = None  # held open, so that no other file can have its number meanwhile
        self._reading = threading.Lock()

    def read(self, directory: int) -> LayoutIndex:
        """The index as it is now; empty if there is no such file."""
        with self._reading:
            try:
                now = os.stat(INDEX_FILE, dir_fd=directory, follow_symlinks=False)
                if self._descriptor is None or file_identity(now) != self._identity:
                    self._read_again(directory)
            except FileNotFoundError:
                return NO_ENTRIES
            return self._index

    def change(self, directory: int, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """The index is what `change` makes of it; whoever else asks for the lock does not change it meanwhile."""
        with index_locked(directory, place=self._place, wait_s=self._wait_s):
            before = self.read(directory)
            after = change(before)
            if after != before:
                with AtomicFile(directory, place=self._place) as file:
                    file.write(after.content)
                    file.publish(INDEX_FILE)
                    with self._reading:
                        self._know(after, os.dup(file.descriptor), file_identity(os.fstat(file.descriptor)))

    def close(self) -> None:
        """Nothing is held."""
        with self._reading:
            self._release_lock()

    def _read_again(self, directory: int) -> None:
        descriptor = open_file(INDEX_FILE, directory)
        with ExitStack() as on_error:
            on_error.callback(release, descriptor)
            found = file_identity(os.fstat(descriptor))  # before it is read: somebody may write to it meanwhile
            with open(descriptor, "rb", closefd=False) as file:
                index = read_index(file, subject=self._place)
            on_error.pop_all()
        self._know(index, descriptor, found)

    def _know(self, index: LayoutIndex, descriptor: int, found: tuple[int, ...]) -> None:
        """This is the index in the file that is open there, and was `found` so."""
        self._release_lock()
        self._index, self._descriptor, self._identity = index, descriptor, found

    def _release_lock(self) -> None:
        if self._descriptor is not None:
            release(self._descriptor)
        self._descriptor, self._identity = None, ()


# -- A directory that is an image layout, or becomes one: its descriptors, and the files that make it a layout.


@dataclass(frozen=True, slots=True)
class OpenLayout:
    """The descriptors of the layout's directory, and of the one in which its blobs are."""

    root: int
    blobs: int

    def close(self) -> None:
        release(self.blobs)
        release(self.root)


class LayoutDirectory:
    """Opened when it is first asked for. Its methods raise OSError, and FileSystemError for what is no layout."""

    def __init__(self, path: str, *, place: str, wait_s: float) -> None:
        self._path = path
        self._place = place
        self._wait_s = wait_s
        self._opened: OpenLayout | None = None
        self._made = False
        self._changing = threading.Lock()

    def if_any(self) -> OpenLayout | None:
        """The layout, for reading; None if there is no directory, or nothing is in it yet."""
        with self._changing:
            return self._open()

    def made(self) -> OpenLayout:
        """The layout, for writing: made if it is missing, and clear of what a killed process left."""
        with self._changing:
            if not self._made:
                os.makedirs(self._path, exist_ok=True)
                self._make()
            opened = self._open()
            assert opened is not None  # it was made
            if not self._made:
                remove_stale(opened.root)
                remove_stale(opened.blobs)
            self._made = True
            return opened

    def close(self, *, flush: bool) -> None:
        """Nothing is held. With `flush`, what was written survives if the disk is pulled out at once."""
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
        if not size_of(LAYOUT_FILE, root):  # it is empty for a moment, while another process makes it
            self._refuse_other_files(root)
            return None
        with read_from(open_reader(LAYOUT_FILE, root)) as file:
            check_version(file, subject=self._place)
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
            with index_locked(root, place=self._place, wait_s=self._wait_s) as oci_layout:
                if os.fstat(oci_layout).st_size == 0:
                    write_all(oci_layout, LAYOUT_CONTENT)
                _make_directories(root)
                if INDEX_FILE not in os.listdir(root):  # a link is no reason to put an empty index in its place
                    with AtomicFile(root, place=self._place) as index:
                        index.write(EMPTY_INDEX)
                        index.publish(INDEX_FILE)
        finally:
            release(root)

    def _refuse_other_files(self, root: int) -> None:
        others = [name for name in os.listdir(root) if name != LAYOUT_FILE and not name.startswith(TEMPORARY)]
        # Asked last: another process may be making the layout, and makes this file before any other.
        if others and size_of(LAYOUT_FILE, root) is None:
            raise FileSystemError(
                subject=self._place,
                check="it is no image layout, and there are other files in it",
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


# -- An image layout in a directory: what a bundle is on a stick, or on a disk that several machines share. The
# directory may be reached through links; in it, none is followed. Blobs and the index appear whole under their names,
# and no change that another process makes to the index is lost.


class LayoutRegistry(ImageLayout):
    """Implements `Registry`. A directory that is missing holds nothing, and is made on first writing."""

    def __init__(self, directory: str, *, wait_s: float = WAIT_S) -> None:
        """`wait_s` is how long another process may keep us from changing the index."""
        super().__init__(LAYOUT + directory)
        self._directory = LayoutDirectory(directory, place=self.name, wait_s=wait_s)
        self._index_file = IndexFile(place=self.name, wait_s=wait_s)

    def blob_size(self, digest: Digest) -> int | None:
        with file_errors(self.name, "look for a blob"):
            here = self._directory.if_any()
            return None if here is None else size_of(digest.hex, here.blobs)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:  # noqa: ARG002
        with file_errors(self.name, "write"):
            here = self._directory.made()
            if size_of(blob.digest.hex, here.blobs) == blob.size:
                return
        with AtomicFile(here.blobs, place=self.name) as file:
            with open_body() as body:
                copy_verified(chunks_of(body), blob, file.write, place="the sender")
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
            here = self._directory.if_any()
            try:
                return None if here is None else open_reader(digest.hex, here.blobs)
            except FileNotFoundError:
                return None

    def _index(self) -> LayoutIndex:
        with file_errors(self.name, "read index.json"):
            here = self._directory.if_any()
            return NO_ENTRIES if here is None else self._index_file.read(here.root)

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        with file_errors(self.name, "change index.json"):
            self._index_file.change(self._directory.made().root, change)
