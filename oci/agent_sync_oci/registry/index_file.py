"""The `index.json` file of a layout folder: read again only when it is another one, changed under a lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from agent_sync_oci.layout import INDEX_FILE
from agent_sync_oci.registry.files import identity, let_go, open_file
from agent_sync_oci.registry.image_layout import read_index
from agent_sync_oci.registry.index_lock import held
from agent_sync_oci.registry.layout_index import NO_ENTRIES, LayoutIndex
from agent_sync_oci.registry.new_file import NewFile


class IndexFile:
    """Its methods are given the folder's descriptor; they raise OSError, and what reading an index raises."""

    def __init__(self, *, place: str, wait_s: float) -> None:
        self._place = place
        self._wait_s = wait_s
        self._index = NO_ENTRIES
        self._identity: tuple[int, ...] = ()
        self._descriptor: int | None = None  # held open, so that no other file can have its number meanwhile
        self._reading = threading.Lock()

    def read(self, folder: int) -> LayoutIndex:
        """The index as it is now; empty if there is no such file."""
        with self._reading:
            try:
                now = os.stat(INDEX_FILE, dir_fd=folder, follow_symlinks=False)
                if self._descriptor is None or identity(now) != self._identity:
                    self._read_again(folder)
            except FileNotFoundError:
                return NO_ENTRIES
            return self._index

    def change(self, folder: int, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """The index is what `change` makes of it; whoever else asks for the lock does not change it meanwhile."""
        with held(folder, place=self._place, wait_s=self._wait_s):
            before = self.read(folder)
            after = change(before)
            if after != before:
                with NewFile(folder, place=self._place) as file:
                    file.write(after.content)
                    file.publish(INDEX_FILE)
                    with self._reading:
                        self._know(after, os.dup(file.descriptor), identity(os.fstat(file.descriptor)))

    def close(self) -> None:
        """Nothing is held."""
        with self._reading:
            self._let_go()

    def _read_again(self, folder: int) -> None:
        descriptor = open_file(INDEX_FILE, folder)
        try:
            found = identity(os.fstat(descriptor))  # before it is read: somebody may write to it meanwhile
            with open(descriptor, "rb", closefd=False) as file:
                index = read_index(file, subject=self._place)
        except BaseException:
            let_go(descriptor)
            raise
        self._know(index, descriptor, found)

    def _know(self, index: LayoutIndex, descriptor: int, found: tuple[int, ...]) -> None:
        """This is the index in the file that is open there, and was `found` so."""
        self._let_go()
        self._index, self._descriptor, self._identity = index, descriptor, found

    def _let_go(self) -> None:
        if self._descriptor is not None:
            let_go(self._descriptor)
        self._descriptor, self._identity = None, ()
