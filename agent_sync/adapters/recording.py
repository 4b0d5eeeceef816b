"""Record everything that a run learns through the ways out of the program, so that a receipt can be left."""

from __future__ import annotations

import hashlib
import os
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Self

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.files import NewDiskFile, read_with_stat
from agent_sync.ports import Directory, Kind, Scratch, Stat, World
from agent_sync.receipt.facts import StatKey, stat_key
from agent_sync.receipt.recorder import Recorder
from agent_sync.tree import ROOT, RelPath, Sha256, parent

_MODES = {Kind.FILE: modes.S_IFREG, Kind.DIRECTORY: modes.S_IFDIR, Kind.LINK: modes.S_IFLNK}
_CHUNK_BYTES = 1 << 18


def recorded(world: World, recorder: Recorder) -> World:
    """Return the same world, reached through directories and files that record what they are asked.

    Using anything else of the world, but to tell the cache which lock is in use, leaves no receipt.
    """
    return replace(
        world,
        project=RecordedDirectory(world.project.name, recorder),
        at=lambda path: RecordedDirectory(path, recorder),
        read_file=_recorded_read_file(recorder),
        store=_Unrepeatable(world.store, recorder, harmless=("name",)),
        records=_Unrepeatable(world.records, recorder),
        scratch=_recorded_scratch(world.scratch, recorder),
        git=_Unrepeatable(world.git, recorder),
        fetcher=_Unrepeatable(world.fetcher, recorder),
        registries=_Unrepeatable(world.registries, recorder),
        runner=_Unrepeatable(world.runner, recorder),
        signatures=_Unrepeatable(world.signatures, recorder),
        nix=_Unrepeatable(world.nix, recorder),
    )


class RecordedDirectory(DiskDirectory):
    """A DiskDirectory that records each thing it finds; whatever changes something invalidates the record.

    What was hashed is noted with a key that was taken before: if somebody interferes in between, the key is out of date
    from the start, and the receipt never holds.
    """

    def __init__(self, path: str, recorder: Recorder) -> None:
        super().__init__(path)
        self._recorder = recorder
        here = super().stat(ROOT)
        assert here is not None  # it is held open
        recorder.root(self.name, _key(here))

    def stat(self, path: RelPath) -> Stat | None:
        found = super().stat(path)
        self._note_way(path)
        self._note(path, found)
        return found

    def names(self, path: RelPath) -> tuple[str, ...]:
        found = super().stat(path)
        names = super().names(path)
        self._note_way(path)
        if found is None:
            self._note(path, None)
        else:
            self._recorder.listing(self._full(path), _key(found), names)
        return names

    def open(self, path: RelPath) -> BinaryIO:
        file = super().open(path)
        self._note_way(path)
        key = stat_key(os.fstat(file.fileno()))
        self._recorder.read(self._full(path), key, _digest_of(file.fileno()), trusting=True)
        return file

    def chunks(self, path: RelPath) -> Iterator[bytes]:
        self._recorder.invalidate()  # for what is copied or packed: the answer to that cannot be given again
        return super().chunks(path)

    def digest(self, path: RelPath, *, trusting: bool = False) -> Sha256:
        place, slash, bare = path.rpartition("/")
        if slash:  # by its directory: that cannot be swapped between the two calls that follow
            return self.below(RelPath(place)).digest(RelPath(bare), trusting=trusting)
        name = self._full(path)
        if self._recorder.key(name) is None:
            self.stat(path)
        key = self._recorder.key(name)
        digest = self._recorder.known(name, key) if trusting and key is not None else None
        found = super().digest(path) if digest is None else Sha256(digest)
        if key is not None:
            self._recorder.read(name, key, found, trusting=trusting)
        return found

    def below(self, path: RelPath) -> Self:
        directory = super().below(path)
        self._note_way(path)
        here = super(RecordedDirectory, directory).stat(ROOT)
        if here is not None:
            self._recorder.directory(directory.name, _key(here))
        return directory

    @contextmanager
    def lock(self, path: RelPath, *, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
        if super().stat(path) is None:
            self._recorder.invalidate()  # it will be made
        with super().lock(path, shared=shared, wait_s=wait_s):
            yield

    def make_directory(self, path: RelPath) -> tuple[RelPath, ...]:
        made = super().make_directory(path)
        if made:
            self._recorder.invalidate()
        return made

    def create(self, path: RelPath, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        self._recorder.invalidate()
        super().create(path, chunks, executable=executable)

    def open_new(self, path: RelPath) -> NewDiskFile:
        self._recorder.invalidate()
        return super().open_new(path)

    def replace(self, path: RelPath, content: bytes) -> None:
        self._recorder.invalidate()
        super().replace(path, content)

    def rename(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        self._recorder.invalidate()
        super().rename(old, new, into=into)

    def link(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        self._recorder.invalidate()
        super().link(old, new, into=into)

    def remove(self, path: RelPath) -> None:
        self._recorder.invalidate()
        super().remove(path)

    def remove_directory(self, path: RelPath) -> bool:
        self._recorder.invalidate()
        return super().remove_directory(path)

    def _held(self, descriptor: int, name: str) -> Self:
        directory = super()._held(descriptor, name)
        directory._recorder = self._recorder
        return directory

    def _note(self, path: RelPath, found: Stat | None) -> None:
        name = self._full(path)
        if found is None:
            self._recorder.seen(name)
        elif found.kind is Kind.DIRECTORY:
            if path != ROOT:
                self._recorder.directory(name, _key(found))
        elif found.kind is Kind.OTHER:
            self._recorder.invalidate()  # a stat does not tell what it is
        else:
            self._recorder.seen(name, _key(found))

    def _note_way(self, path: RelPath) -> None:
        """Record each directory on the way to `path`: where one becomes a link, the path leads to something else."""
        way = path
        while (way := parent(way)) != ROOT and not self._recorder.has_directory(self._full(way)):
            self._note(way, super().stat(way))


class _Unrepeatable:
    """Passes everything on; whatever is used, but for what is harmless, cannot be compared when the same is asked."""

    def __init__(self, port: object, recorder: Recorder, harmless: tuple[str, ...] = ()) -> None:
        self._port = port
        self._recorder = recorder
        self._harmless = harmless

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as many types as the port has methods
        if name not in self._harmless:
            self._recorder.invalidate()
        return getattr(self._port, name)


def _recorded_scratch(scratch: Scratch, recorder: Recorder) -> Scratch:
    def recorded_scratch() -> AbstractContextManager[Directory]:
        recorder.invalidate()
        return scratch()

    return recorded_scratch


def _recorded_read_file(recorder: Recorder) -> Callable[[str], bytes | None]:
    def read_file(path: str) -> bytes | None:
        found = read_with_stat(path)
        if found is None:
            recorder.followed(path)
            return None
        content, about = found
        recorder.followed(path, stat_key(about), hashlib.sha256(content).hexdigest())
        return content

    return read_file


def _key(stat: Stat) -> StatKey:
    mode = _MODES.get(stat.kind, 0) | (modes.S_IXUSR if stat.executable else 0)
    return (mode, stat.inode, stat.size, stat.modified_ns, stat.changed_ns)


def _digest_of(descriptor: int) -> str:
    """Return the digest of an open file, whose position stays as it is."""
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, _CHUNK_BYTES, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
