"""Read the members of a foreign archive, one after the other. Nothing is extracted; content goes to the caller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from agent_sync_oci.errors import DigestMismatch, LimitExceeded
from agent_sync_oci.tar import BLOCK_BYTES, padded
from agent_sync_oci.tar.headers import (
    DIRECTORY,
    FILE,
    LONG_NAME,
    OLD_FILE,
    PAX,
    PAX_FOR_ALL,
    Extension,
    Header,
    read_header,
    read_long_name,
    read_pax,
    true_name,
    true_size,
)
from agent_sync_oci.text import quoted

MAX_MEMBERS = 100_000
MAX_EXTENSION_BYTES = 1 << 20
"""Of one extended header. It is held in memory; extended attributes make it large, names do not."""

_MAX_NAME_BYTES = 4096  # bytes; PATH_MAX of Linux
_CHUNK_BYTES = 1 << 18
_ZERO = bytes(BLOCK_BYTES)
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a fifo",
    b"S": "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A file or directory of the archive: `name` is relative, with `/` between its parts and none at its end.

    `offset` is where the content begins in the archive, `size` its bytes (0 for a directory).
    """

    name: str
    is_directory: bool
    size: int
    executable: bool
    offset: int


class TarReader:
    """Iterates over the members, in the order of the archive; after each, `copy` writes that member's content."""

    def __init__(
        self, file: BinaryIO, *, subject: str, file_size: int | None = None, max_members: int = MAX_MEMBERS
    ) -> None:
        """`subject` names the archive in errors. With `file_size`, its real size, unused content is skipped."""
        self._file = file
        self._subject = subject
        self._file_size = file_size
        self._max_members = max_members
        self._offset = 0
        self._left = 0  # of the current member, with what fills its last block
        self._content_left = 0
        self._seen = _Names()

    def __iter__(self) -> Iterator[Member]:
        """Yield the members. Raises DigestMismatch for what is not strict, LimitExceeded for too many members."""
        try:
            for count, (header, extension) in enumerate(self._headers(), 1):
                if count > self._max_members:
                    raise LimitExceeded(subject=self._subject, check=f"more than {self._max_members} members")
                member = self._member(header, extension)
                self._content_left, self._left = member.size, padded(member.size)
                if self._file_size is not None and self._offset + self._left > self._file_size:
                    raise ValueError(f"the archive ends within {quoted(member.name)}")
                if member.name:
                    yield member
            self._refuse_what_follows()
        except ValueError as error:
            self._refuse(str(error))

    def copy(self, write: Callable[[bytes], object]) -> None:
        """Write what is left of the current member's content. Raises DigestMismatch if the archive ends in it."""
        while self._content_left:
            chunk = self._read_some(min(self._content_left, _CHUNK_BYTES))
            if not chunk:
                self._refuse("the archive ends within a member")
            self._content_left -= len(chunk)
            self._left -= len(chunk)
            write(chunk)

    def _headers(self) -> Iterator[tuple[Header, Extension]]:
        """Yield each member's own header, with the extended header before it."""
        extension: Extension | None = None
        while (block := self._next_block()) != _ZERO:
            header = read_header(block)
            if header.kind not in (PAX, PAX_FOR_ALL, LONG_NAME):
                yield header, extension or Extension()
                extension = None
                continue
            if extension is not None:
                raise ValueError("two extended headers before one member")
            said = self._extension(header)
            if header.kind != PAX_FOR_ALL:
                extension = said
            elif said != Extension():
                raise ValueError("a global header gives every member one name or size")
        if extension is not None:
            raise ValueError("an extended header without a member")

    def _next_block(self) -> bytes:
        self._skip()
        return self._read(BLOCK_BYTES)

    def _extension(self, header: Header) -> Extension:
        if header.size > MAX_EXTENSION_BYTES:
            raise LimitExceeded(
                subject=self._subject, check=f"an extended header has more than {MAX_EXTENSION_BYTES} bytes"
            )
        content = self._read(padded(header.size))[: header.size]
        return read_long_name(content) if header.kind == LONG_NAME else read_pax(content)

    def _member(self, header: Header, extension: Extension) -> Member:
        """Return the member; its name is empty for the top directory of the archive."""
        name = true_name(header, extension)
        if header.kind not in (FILE, OLD_FILE, DIRECTORY):
            raise ValueError(
                f"{quoted(name)} is {_KINDS.get(header.kind, f'of type {header.kind!r}')}, not a file or directory"
            )
        is_directory = header.kind == DIRECTORY
        size = true_size(header, extension)
        if is_directory and size:
            raise ValueError(f"the directory {quoted(name)} has content")
        if not is_directory and header.mode & 0o6000:
            raise ValueError(f"{quoted(name)} has the setuid or setgid bit")
        plain = _plain_name(name, is_directory=is_directory)
        self._seen.add(plain, is_directory=is_directory)
        return Member(plain, is_directory, size, bool(header.mode & 0o111) and not is_directory, self._offset)

    def _skip(self) -> None:
        if self._file_size is not None and self._left:
            self._file.seek(self._left, os.SEEK_CUR)
            self._offset += self._left
            self._left = 0
        while self._left:
            self._left -= len(self._read(min(self._left, _CHUNK_BYTES)))
        self._content_left = 0

    def _read(self, count: int) -> bytes:
        content = self._read_some(count)
        while len(content) < count:
            more = self._read_some(count - len(content))
            if not more:
                raise ValueError("the archive ends too early")
            content += more
        return content

    def _read_some(self, count: int) -> bytes:
        chunk = self._file.read(count)
        self._offset += len(chunk)
        return chunk

    def _refuse_what_follows(self) -> None:
        """Raise unless a second block of zeros follows the first, and then nothing but zeros."""
        if self._read(BLOCK_BYTES) != _ZERO:
            raise ValueError("data follows a block of zeros")
        while chunk := self._read_some(_CHUNK_BYTES):
            if chunk.strip(b"\0"):
                raise ValueError("data follows the end of the archive")

    def _refuse(self, check: str) -> NoReturn:
        raise DigestMismatch(
            subject=self._subject, check=check, remedy="create the archive again, from plain files and directories"
        )


class _Names:
    """Every name so far, so that none is used twice, or for a file and a directory."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._directories: set[str] = set()

    def add(self, name: str, *, is_directory: bool) -> None:
        """Add a name. A directory may come again: programs that append to an archive write it so."""
        if name in self._files or (name in self._directories and not is_directory):
            raise ValueError(f"{quoted(name)} is there twice")
        above = name.rpartition("/")[0]
        while above and above not in self._directories:
            if above in self._files:
                raise ValueError(f"{quoted(name)} is below {quoted(above)}, which is a file")
            self._directories.add(above)
            above = above.rpartition("/")[0]
        (self._directories if is_directory else self._files).add(name)


def _plain_name(name: str, *, is_directory: bool) -> str:
    """Return the name without a leading `./` (`tar -C DIRECTORY -c .`) and a directory's last `/`.

    It is empty for the top directory of the archive.
    """
    plain = name.removeprefix("./")
    if is_directory:
        plain = plain.removesuffix("/")
        if plain in ("", "."):
            return ""
    if {"", ".", ".."} & set(plain.split("/")) or "\\" in plain or any(each < " " or each == "\x7f" for each in plain):
        raise ValueError(f"the name {quoted(name)} leads out of the archive, or is not in plain form")
    if len(plain.encode()) > _MAX_NAME_BYTES:
        raise ValueError(f"the name {quoted(name)} has more than {_MAX_NAME_BYTES} bytes")
    return plain
