"""A folder that is an image layout, or becomes one: its descriptors, and the files that make it a layout."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass

from agent_sync_oci.errors import PlaceFault
from agent_sync_oci.layout import BLOBS_FOLDER, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE
from agent_sync_oci.registry.files import FOLDER, let_go, open_folder, open_reader, read_from, size_of
from agent_sync_oci.registry.flushing import flush_file_system
from agent_sync_oci.registry.image_layout import refuse_other_versions
from agent_sync_oci.registry.index_lock import held
from agent_sync_oci.registry.new_file import UNFINISHED, NewFile, sweep, write_all


@dataclass(frozen=True, slots=True)
class Opened:
    """The descriptors of the layout's folder, and of the one in which its blobs are."""

    root: int
    blobs: int

    def close(self) -> None:
        let_go(self.blobs)
        let_go(self.root)


class LayoutFolder:
    """Opened when it is first asked for. Its methods raise OSError, and PlaceFault for what is no layout."""

    def __init__(self, path: str, *, place: str, wait_s: float) -> None:
        self._path = path
        self._place = place
        self._wait_s = wait_s
        self._opened: Opened | None = None
        self._made = False
        self._changing = threading.Lock()

    def if_any(self) -> Opened | None:
        """The layout, for reading; None if there is no folder, or nothing is in it yet."""
        with self._changing:
            return self._open()

    def made(self) -> Opened:
        """The layout, for writing: made if it is missing, and clear of what a killed process left."""
        with self._changing:
            if not self._made:
                os.makedirs(self._path, exist_ok=True)
                self._make()
            opened = self._open()
            assert opened is not None  # it was made
            if not self._made:
                sweep(opened.root)
                sweep(opened.blobs)
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

    def _open(self) -> Opened | None:
        if self._opened is None:
            with suppress(FileNotFoundError):
                root = os.open(self._path, FOLDER)
                try:
                    self._opened = self._open_layout(root)
                finally:
                    if self._opened is None:
                        let_go(root)
        return self._opened

    def _open_layout(self, root: int) -> Opened | None:
        if not size_of(LAYOUT_FILE, root):  # it is empty for a moment, while another process makes it
            self._refuse_other_files(root)
            return None
        with read_from(open_reader(LAYOUT_FILE, root)) as file:
            refuse_other_versions(file, subject=self._place)
        above, name = BLOBS_FOLDER.split("/")
        blobs = open_folder(above, root)
        try:
            return Opened(root, open_folder(name, blobs))
        finally:
            let_go(blobs)

    def _make(self) -> None:
        root = os.open(self._path, FOLDER)
        try:
            self._refuse_other_files(root)
            with held(root, place=self._place, wait_s=self._wait_s) as oci_layout:
                if os.fstat(oci_layout).st_size == 0:
                    write_all(oci_layout, LAYOUT_CONTENT)
                _make_folders(root)
                if INDEX_FILE not in os.listdir(root):  # a link is no reason to put an empty index in its place
                    with NewFile(root, place=self._place) as index:
                        index.write(EMPTY_INDEX)
                        index.publish(INDEX_FILE)
        finally:
            let_go(root)

    def _refuse_other_files(self, root: int) -> None:
        others = [name for name in os.listdir(root) if name != LAYOUT_FILE and not name.startswith(UNFINISHED)]
        # Asked last: another process may be making the layout, and makes this file before any other.
        if others and size_of(LAYOUT_FILE, root) is None:
            raise PlaceFault(
                subject=self._place,
                check="it is no image layout, and there are other files in it",
                remedy="name a folder that is empty or does not exist yet",
            )


def _make_folders(root: int) -> None:
    above, name = BLOBS_FOLDER.split("/")
    with suppress(FileExistsError):
        os.mkdir(above, dir_fd=root)
    blobs = open_folder(above, root)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=blobs)
    finally:
        let_go(blobs)
