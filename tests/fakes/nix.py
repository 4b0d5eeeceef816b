"""Nix without Nix: the NAR of a directory, read off its grammar, and a store that takes what it has verified."""

from __future__ import annotations

import hashlib
import os
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent_sync.errors import FileSystemError
from agent_sync.nix.store_paths import nix32, path_of_file, path_of_tree
from agent_sync.ports import Cancellation, Directory
from agent_sync.tree import RelPath


def nar_of(path: Path) -> bytes:
    """The grammar of Eelco Dolstra's thesis (figure 5.2)."""
    return _word(b"nix-archive-1") + _node(os.fsencode(path))


def _node(path: bytes) -> bytes:
    if os.path.islink(path):
        return _said(b"(", b"type", b"symlink", b"target", os.readlink(path), b")")
    if os.path.isfile(path):
        executable = _said(b"executable", b"") if os.stat(path).st_mode & 0o100 else b""
        return (
            _said(b"(", b"type", b"regular")
            + executable
            + _said(b"contents", Path(os.fsdecode(path)).read_bytes(), b")")
        )
    entries = (
        _said(b"entry", b"(", b"name", name, b"node") + _node(path + b"/" + name) + _said(b")")
        for name in sorted(os.listdir(path))
    )
    return _said(b"(", b"type", b"directory") + b"".join(entries) + _said(b")")


def _word(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + bytes(-len(text) % 8)


def _said(*words: bytes) -> bytes:
    return b"".join(map(_word, words))


@dataclass
class MemoryNix:
    """Implements `ports.Nix`; `at` opens the directory of a cache, `paths` has the NAR of everything that was
    copied.
    """

    at: Callable[[str], Directory]
    store_dir: str = "/nix/store"
    paths: dict[str, bytes] = field(default_factory=dict)

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        cancellation.check()
        if not os.path.lexists(path):
            raise FileSystemError(subject=path, check="it is not there")
        return "sha256-" + b64encode(hashlib.sha256(nar_of(Path(path))).digest()).decode()

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        cancellation.check()
        directory = self.at(cache)
        for path in paths:
            said = self._narinfo(path, directory)
            nar = _read(directory, said["URL"])
            if f"sha256:{nix32(hashlib.sha256(nar).digest())}" != said["NarHash"] or len(nar) != int(said["NarSize"]):
                raise FileSystemError(subject=path, check="hash mismatch")
            if self._path(said, nar) != path:
                raise FileSystemError(subject=path, check="its content does not give this path")
            self.paths[path] = nar

    def _narinfo(self, path: str, directory: Directory) -> dict[str, str]:
        name = path.rpartition("/")[2].partition("-")[0] + ".narinfo"
        if directory.stat(RelPath(name)) is None:
            raise FileSystemError(subject=path, check="the cache does not have it")
        lines = _read(directory, name).decode().splitlines()
        return {key: value for key, _, value in (line.partition(": ") for line in lines)}

    def _path(self, said: dict[str, str], nar: bytes) -> str:
        if said["CA"] == f"fixed:r:{said['NarHash']}":
            return path_of_tree(hashlib.sha256(nar).digest(), store_dir=self.store_dir)
        start = len(_word(b"nix-archive-1") + _said(b"(", b"type", b"regular", b"contents"))
        content = nar[start + 8 : start + 8 + struct.unpack_from("<Q", nar, start)[0]]
        name = said["StorePath"].rpartition("/")[2].partition("-")[2]
        return path_of_file(hashlib.sha256(content).digest(), name, store_dir=self.store_dir)


def _read(directory: Directory, path: str) -> bytes:
    return b"".join(directory.chunks(RelPath(path)))
