"""An image layout in a folder: what a bundle is on a stick, or on a disk that several machines share.

The folder may be reached through links; in it, none is followed. Blobs and the index appear whole under their names,
and no change that another process makes to the index is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.reference import LAYOUT
from agent_sync_oci.registry.files import faults, open_reader, size_of
from agent_sync_oci.registry.image_layout import ImageLayout
from agent_sync_oci.registry.index_file import IndexFile
from agent_sync_oci.registry.index_lock import WAIT_S
from agent_sync_oci.registry.layout_folder import LayoutFolder
from agent_sync_oci.registry.layout_index import NO_ENTRIES, LayoutIndex
from agent_sync_oci.registry.new_file import NewFile
from agent_sync_oci.registry.protocol import OpenBody
from agent_sync_oci.registry.verifying import chunks_of, copy_verified


class LayoutRegistry(ImageLayout):
    """Implements `Registry`. A folder that is missing holds nothing, and is made on first writing."""

    def __init__(self, folder: str, *, wait_s: float = WAIT_S) -> None:
        """`wait_s` is how long another process may keep us from changing the index."""
        super().__init__(LAYOUT + folder)
        self._folder = LayoutFolder(folder, place=self.name, wait_s=wait_s)
        self._index_file = IndexFile(place=self.name, wait_s=wait_s)

    def blob_size(self, digest: Digest) -> int | None:
        with faults(self.name, "look for a blob"):
            here = self._folder.if_any()
            return None if here is None else size_of(digest.hex, here.blobs)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:  # noqa: ARG002
        with faults(self.name, "write"):
            here = self._folder.made()
            if size_of(blob.digest.hex, here.blobs) == blob.size:
                return
        with NewFile(here.blobs, place=self.name) as file:
            with open_body() as body:
                copy_verified(chunks_of(body), blob, file.write, place="the sender")
            file.publish(blob.digest.hex)

    def close(self) -> None:
        with faults(self.name, "write to the disk"):
            self._index_file.close()
            self._folder.close(flush=True)

    def _abandon(self) -> None:
        self._index_file.close()
        self._folder.close(flush=False)

    def _open(self, digest: Digest) -> BinaryIO | None:
        with faults(self.name, f"read the blob {digest}"):
            here = self._folder.if_any()
            try:
                return None if here is None else open_reader(digest.hex, here.blobs)
            except FileNotFoundError:
                return None

    def _index(self) -> LayoutIndex:
        with faults(self.name, "read index.json"):
            here = self._folder.if_any()
            return NO_ENTRIES if here is None else self._index_file.read(here.root)

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        with faults(self.name, "change index.json"):
            self._index_file.change(self._folder.made().root, change)
