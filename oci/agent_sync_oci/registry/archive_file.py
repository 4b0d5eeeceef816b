"""An archive as it lies on the disk: where in it each blob is, and what its index lists."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import PlaceFault
from agent_sync_oci.layout import BLOBS_FOLDER, INDEX_FILE, LAYOUT_FILE
from agent_sync_oci.registry.files import identity, let_go, open_file
from agent_sync_oci.registry.image_layout import read_index, refuse_other_versions
from agent_sync_oci.registry.layout_index import LayoutIndex
from agent_sync_oci.tar.reader import Member, TarReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an open file: `size` bytes from `offset`."""

    descriptor: int
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """The bytes of the piece, from their beginning."""
        return io.BufferedReader(_SpanReader(self))


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An image layout in a tar file that is open for reading. Whether its blobs are good was not looked at."""

    descriptor: int
    identity: tuple[int, ...]
    """Changes when the file does."""
    blobs: dict[Digest, Span]
    index: LayoutIndex
    others: tuple[str, ...]
    """The files in it that are no part of an image layout."""

    @classmethod
    def open(cls, path: str, *, place: str) -> Self | None:
        """The archive at `path`, which `place` names in errors; None if there is none.

        Raises:
            OSError: the system refused.
            ContentLies, TooMuch: it is no archive of plain files, or its index is none.
            PlaceFault: it is no image layout.
        """
        try:
            descriptor = open_file(path)
        except FileNotFoundError:
            return None
        try:
            return cls._read(descriptor, place)
        except BaseException:
            let_go(descriptor)
            raise

    @classmethod
    def _read(cls, descriptor: int, place: str) -> Self:
        found = _files(descriptor, place)
        oci_layout, index_json = found.pop(LAYOUT_FILE, None), found.pop(INDEX_FILE, None)
        if oci_layout is None or index_json is None:
            missing = LAYOUT_FILE if oci_layout is None else INDEX_FILE
            raise PlaceFault(
                subject=place,
                check=f"it is no image layout: {missing} is missing",
                remedy="write it with `skopeo copy ... oci-archive:FILE` or the like",
            )
        refuse_other_versions(oci_layout.open(), subject=place)
        index = read_index(index_json.open(), subject=place)
        blobs = {digest: found.pop(name) for name in tuple(found) if (digest := _digest(name)) is not None}
        return cls(descriptor, identity(os.fstat(descriptor)), blobs, index, tuple(found))

    def close(self) -> None:
        let_go(self.descriptor)


def _files(descriptor: int, place: str) -> dict[str, Span]:
    with open(descriptor, "rb", closefd=False) as file:
        members = TarReader(file, subject=place, file_size=os.fstat(descriptor).st_size)
        return {member.name: _span(descriptor, member) for member in members if not member.is_folder}


def _span(descriptor: int, member: Member) -> Span:
    return Span(descriptor, member.offset, member.size)


def _digest(name: str) -> Digest | None:
    folder, _, hex_digits = name.rpartition("/")
    try:
        return Digest.from_hex(hex_digits) if folder == BLOBS_FOLDER else None
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
