"""A directory tree in memory, with links, fifos, other disks, and a hook that hears every call before it happens."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from agent_sync.errors import CrossDeviceLink, FileSystemError, ProjectBusy, UnsafePath
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.tree import ROOT, RelPath, Sha256, join, parent
from tests.fakes.nodes import Node

Hook = Callable[[str, str], object]


def unheard(verb: str, path: str, /) -> None:
    """The hook that does nothing."""


class Machine:
    """What all directories of one tree share: the hook, and who holds which lock."""

    def __init__(self) -> None:
        self.before_call: Hook = unheard
        self.held: dict[int, int] = {}  # node -> number of shared holders, or -1
        self.guard = threading.Lock()


class MemoryDirectory:
    """Implements `ports.Directory`."""

    def __init__(self, name: str = "/memory", node: Node | None = None, machine: Machine | None = None) -> None:
        self._name = name
        self.node = node or Node(Kind.DIRECTORY)
        self.machine = machine or Machine()

    @property
    def name(self) -> str:
        return self._name

    def stat(self, path: RelPath) -> Stat | None:
        self._called("stat", path)
        node = self._find(path)
        return None if node is None else node.stat()

    def names(self, path: RelPath) -> tuple[str, ...]:
        self._called("names", path)
        node = self._find(path)
        if node is None:
            return ()
        return tuple(sorted(self._of_kind(node, Kind.DIRECTORY, path).entries, key=os.fsencode))

    def open(self, path: RelPath) -> BinaryIO:
        self._called("open", path)
        return io.BytesIO(self._file(path).content)

    def chunks(self, path: RelPath) -> Iterator[bytes]:
        self._called("chunks", path)
        yield bytes(self._file(path).content)

    def digest(self, path: RelPath, *, trusting: bool = False) -> Sha256:
        del trusting  # nothing is remembered here
        self._called("digest", path)
        return Sha256(hashlib.sha256(self._file(path).content).hexdigest())

    def create(self, path: RelPath, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        file = self._new(path, executable=executable)
        try:
            for chunk in chunks:
                self._called("write", path)
                file.content += chunk
        except BaseException:
            self.remove(path)
            raise

    def open_new(self, path: RelPath) -> _NewFile:
        return _NewFile(self._new(path), lambda verb: self._called(verb, path))

    def replace(self, path: RelPath, content: bytes) -> None:
        self.make_directory(parent(path))
        self._called("replace", path)
        directory, name = self._parent(path)
        old = directory.entries.get(name)
        if old is not None:
            self._of_kind(old, Kind.FILE, path)
        directory.entries[name] = Node(Kind.FILE, bytearray(content), disk=directory.disk)

    def rename(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        self._called("rename", old)
        (here, name), (there, target) = self._parent(old), _in_memory(into or self)._parent(new)
        node = self._there(here, name, old)
        if node.disk != here.disk:
            raise self._fault(old, "another disk is mounted there")
        if node.disk != there.disk:
            raise CrossDeviceLink(subject=str(old), check="it lies on another disk")
        in_the_way = there.entries.get(target)
        if in_the_way is node:
            return  # two names of one file: POSIX leaves both
        if in_the_way is not None:
            self._refuse_unlike(node, in_the_way, new)
        del here.entries[name]
        there.entries[target] = node
        node.touch()

    def link(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        self._called("link", old)
        node, (there, target) = self._file(old), _in_memory(into or self)._parent(new)
        if node.disk != there.disk:
            raise CrossDeviceLink(subject=str(old), check="it lies on another disk")
        if target in there.entries:
            raise self._fault(new, "something stands there")
        there.entries[target] = node
        node.touch()

    def remove(self, path: RelPath) -> None:
        self._called("remove", path)
        node = self._find(path)
        if node is None:
            return
        if node.kind is Kind.DIRECTORY:
            raise self._fault(path, "it is a directory")
        directory, name = self._parent(path)
        del directory.entries[name]
        node.touch()

    def make_directory(self, path: RelPath) -> tuple[RelPath, ...]:
        made: list[RelPath] = []
        here, node = ROOT, self.node
        for name in path.split("/") if path != ROOT else ():
            self._refuse_leading_out(name, path)
            here = join(here, RelPath(name))
            if name not in node.entries:
                self._called("make_directory", here)
                node.entries[name] = Node(Kind.DIRECTORY, disk=node.disk)
                made.append(here)
            node = self._of_kind(node.entries[name], Kind.DIRECTORY, here)
        return tuple(made)

    def remove_directory(self, path: RelPath) -> bool:
        self._called("remove_directory", path)
        node = self._find(path)
        if node is None:
            return True
        directory, name = self._parent(path)
        if self._of_kind(node, Kind.DIRECTORY, path).entries or node.disk != directory.disk:
            return False
        del directory.entries[name]
        return True

    def flush(self) -> None:
        self._called("flush", ROOT)

    def fsync_directory(self, path: RelPath) -> None:
        self._called("fsync_directory", path)
        node = self._find(path)
        if node is None:
            raise self._fault(path, "there is no such directory")
        self._of_kind(node, Kind.DIRECTORY, path)

    @contextmanager
    def lock(self, path: RelPath, *, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
        self._called("lock", path)
        if self.stat(path) is None:
            self.create(path, ())
        key, held = self._file(path).inode, self.machine.held
        with self.machine.guard:
            holders = held.get(key, 0)
            if holders < 0 or (holders > 0 and not shared):
                raise ProjectBusy(subject=str(path), check=f"locked by another process, after {wait_s} s")
            held[key] = holders + 1 if shared else -1
        try:
            yield
        finally:
            with self.machine.guard:
                held[key] = held[key] - 1 if shared else 0

    def below(self, path: RelPath) -> MemoryDirectory:
        self._called("below", path)
        node = self._find(path)
        if node is None:
            raise self._fault(path, "there is no such directory")
        return MemoryDirectory(f"{self._name}/{path}", self._of_kind(node, Kind.DIRECTORY, path), self.machine)

    # What tests do to it; none of this passes the hook.

    def put(self, path: str, content: str | bytes, *, executable: bool = False) -> None:
        """A file stands there; one that stood there is written over in place."""
        directory, name = self._made(path)
        data = content.encode() if isinstance(content, str) else content
        node = directory.entries.setdefault(name, Node(Kind.FILE, disk=directory.disk))
        node.write(data)
        node.executable = executable

    def put_other(self, path: str, kind: Kind) -> None:
        """A link, a fifo or an empty directory stands there."""
        directory, name = self._made(path)
        directory.entries[name] = Node(kind, disk=directory.disk)

    def mount(self, path: str) -> None:
        """The directory lies on a disk of its own."""
        directory, name = self._made(path)
        directory.entries[name] = Node(Kind.DIRECTORY, disk=directory.disk + 1)

    def drop(self, path: str) -> None:
        """Nothing stands there."""
        directory, name = self._made(path)
        directory.entries.pop(name, None)

    def _called(self, verb: str, path: str) -> None:
        self.machine.before_call(verb, path)

    def _fault(self, path: str, check: str) -> FileSystemError:
        return FileSystemError(subject=f"file {self._name}/{path}", check=check, remedy="rerun the command")

    def _unsafe(self, path: str) -> UnsafePath:
        return UnsafePath(subject=f"file {self._name}/{path}", check="a symbolic link stands there")

    def _parent(self, path: str) -> tuple[Node, str]:
        """The directory that holds `path`, which must be there."""
        for part in path.split("/"):
            self._refuse_leading_out(part, path)
        directories, _, name = path.rpartition("/")
        node = self.node
        for part in directories.split("/") if directories else ():
            below = node.entries.get(part)
            if below is None:
                raise self._fault(path, "a directory on its way is missing")
            node = self._of_kind(below, Kind.DIRECTORY, path)
        return node, name

    def _refuse_leading_out(self, name: str, path: str) -> None:
        if name in ("", ".."):
            raise UnsafePath(subject=path, check="leads out of its directory")

    def _find(self, path: str) -> Node | None:
        if path == ROOT:
            return self.node
        try:
            directory, name = self._parent(path)
        except FileSystemError:
            return None
        return directory.entries.get(name)

    def _file(self, path: str) -> Node:
        node = self._find(path)
        if node is None:
            raise self._fault(path, "no such file")
        return self._of_kind(node, Kind.FILE, path)

    def _there(self, directory: Node, name: str, path: str) -> Node:
        node = directory.entries.get(name)
        if node is None:
            raise self._fault(path, "no such file")
        return node

    def _of_kind(self, node: Node, kind: Kind, path: str) -> Node:
        if node.kind is Kind.LINK:
            raise self._unsafe(path)
        if node.kind is not kind:
            raise self._fault(path, f"it is a {node.kind.value}")
        return node

    def _refuse_unlike(self, node: Node, in_the_way: Node, path: str) -> None:
        """What rename(2) says: a directory replaces an empty directory only, and anything else anything but a
        directory.
        """
        directories = (node.kind is Kind.DIRECTORY, in_the_way.kind is Kind.DIRECTORY)
        if directories in ((True, False), (False, True)) or in_the_way.entries:
            raise self._fault(path, f"a {in_the_way.kind.value} stands there")

    def _new(self, path: RelPath, *, executable: bool = False) -> Node:
        self.make_directory(parent(path))
        self._called("create", path)
        directory, name = self._parent(path)
        if name in directory.entries:
            raise self._fault(path, "something stands there")
        directory.entries[name] = Node(Kind.FILE, executable=executable, disk=directory.disk)
        return directory.entries[name]

    def _made(self, path: str) -> tuple[Node, str]:
        hook, self.machine.before_call = self.machine.before_call, unheard
        try:
            self.make_directory(parent(RelPath(path)))
            return self._parent(path)
        finally:
            self.machine.before_call = hook


class _NewFile:
    """Implements `ports.NewFile`."""

    def __init__(self, node: Node, called: Callable[[str], None]) -> None:
        self._node = node
        self._called = called

    def write(self, chunk: bytes, /) -> None:
        self._called("write")
        self._node.content += chunk

    def flush(self) -> None:
        self._called("flush")

    def close(self) -> None:
        self._called("close")


def _in_memory(directory: Directory) -> MemoryDirectory:
    assert isinstance(directory, MemoryDirectory)
    return directory
