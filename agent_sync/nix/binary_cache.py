"""Write a Nix binary cache: NARs as blobs under their digests, as in an image layout, and beside them the narinfo
files.

Over a layout that `push` wrote, one directory serves both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from agent_sync.errors import FileSystemError, LockInvalid, UsageError
from agent_sync.nix.narinfo import CACHE_INFO_FILE, NarInfo, Sign, cache_info, nar_path
from agent_sync.nix.store_paths import Pinned, nar_sha256
from agent_sync.ports import Cancellation, Contents, Directory, Kind
from agent_sync.sources.content import PackedTree, SingleFile
from agent_sync.store.directory import STAGING, staging_path, write_atomically
from agent_sync.tree import ROOT, RelPath, Sha256, Tree, nar, parent
from agent_sync.tree.nar import sri
from agent_sync.tree.tarball import TarWalk
from agent_sync_oci.digest import EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest
from agent_sync_oci.text import quoted

_BATCH_BYTES = 1 << 16
_MAX_INFO_BYTES = 4096


def tree_nar(tree: Tree, contents: Contents) -> Iterator[bytes]:
    """Yield the NAR of the tree; its bytes are verified on their way. Raises what `contents` raises."""
    walk = TarWalk()
    for path, entry in tree.items():
        _, directories = walk.enter(path)
        size = contents.size(entry.sha256)
        yield directories + nar.before_file(path.rpartition("/")[2].encode(), size, executable=entry.executable)
        yield from contents.chunks(entry.sha256)
        yield nar.after_file(size)
    yield walk.finish()[1]


def file_nar(sha256: Sha256, contents: Contents) -> Iterator[bytes]:
    """Yield the NAR of a single file, which is not executable. Raises what `contents` raises."""
    size = contents.size(sha256)
    yield nar.before_alone(size)
    yield from contents.chunks(sha256)
    yield nar.after_alone(size)


class BinaryCache:
    """A binary cache in `directory`, for stores at `store_dir`. What is present and whole is not written again."""

    def __init__(self, directory: Directory, *, store_dir: str, sign: Sign | None = None) -> None:
        self._directory = directory
        self._store_dir = store_dir
        self._sign = sign

    def begin(self) -> None:
        """Mark the directory as an image layout, with an empty index if it had none, and as a binary cache.

        Raises:
            UsageError: it is neither of the two and not empty, or serves stores elsewhere.
            FileSystemError, UnsafePath: it cannot be written.
        """
        names = self._directory.names(ROOT)
        if names and CACHE_INFO_FILE not in names and LAYOUT_FILE not in names:
            raise self._refusal("not a cache, and not empty", "name an empty directory, or a new one")
        if CACHE_INFO_FILE in names and f"StoreDir: {self._store_dir}\n" not in self._text(CACHE_INFO_FILE):
            raise self._refusal(f"does not serve stores at {self._store_dir}", "name another directory")
        for file, content in ((LAYOUT_FILE, LAYOUT_CONTENT), (INDEX_FILE, EMPTY_INDEX)):
            if file not in names:
                write_atomically(self._directory, RelPath(file), content)
        write_atomically(self._directory, RelPath(CACHE_INFO_FILE), cache_info(self._store_dir))

    def add(self, pinned: Pinned, contents: Contents, *, cancellation: Cancellation) -> None:
        """Add a path: first its NAR, whole, and then its narinfo. Raises what `contents` raises.

        Raises:
            LockInvalid: its files have another narHash than the lock says.
            FileSystemError: the cache cannot be written.
        """
        if isinstance(pinned.content, SingleFile):
            sha256 = pinned.content.sha256
            nar, size = self._write(file_nar(sha256, contents), cancellation)
            info = NarInfo(pinned.path, nar, size, bytes.fromhex(sha256))
        else:
            nar = Digest.from_hex(nar_sha256(pinned.content).hex())
            # The lock names the NAR of a tree; that of a single file is known only once it is written.
            size = self._whole(nar) or self._write_tree(pinned.what, pinned.content, contents, cancellation)
            info = NarInfo(pinned.path, nar, size)
        # Last: Nix asks for the narinfo first, and then for the NAR that it names.
        write_atomically(self._directory, RelPath(info.file), info.text(self._sign))

    def finish(self) -> None:
        """Remove what was needed for writing only."""
        with suppress(FileSystemError):
            self._directory.remove_directory(STAGING)

    def _write_tree(self, what: str, packed: PackedTree, contents: Contents, cancellation: Cancellation) -> int:
        """Write the tree's NAR, and return its length."""
        nar, size = self._write(tree_nar(packed.files, contents), cancellation)
        actual = sri(bytes.fromhex(nar.hex))
        if actual != packed.nar_hash:
            raise LockInvalid(
                subject=what,
                check=f"the files have the narHash {actual}, the lock says {packed.nar_hash}",
                remedy="restore the lock from version control, or make it again: agent-sync update",
            )
        return size

    def _text(self, file: str) -> str:
        with self._directory.open(RelPath(file)) as opened:
            return opened.read(_MAX_INFO_BYTES).decode(errors="replace")

    def _refusal(self, check: str, remedy: str) -> UsageError:
        return UsageError(subject=f"directory {quoted(self._directory.name)}", check=check, remedy=remedy)

    def _whole(self, nar: Digest) -> int | None:
        """Return the length of that NAR, if it is present and whole."""
        path = RelPath(nar_path(nar))
        stat = self._directory.stat(path)
        if stat is None or stat.kind is not Kind.FILE or self._directory.digest(path) != nar.hex:
            return None
        return stat.size

    def _write(self, archive: Iterable[bytes], cancellation: Cancellation) -> tuple[Digest, int]:
        """Write the archive under the name of its digest; return the digest and the length."""
        staged = staging_path()
        digest = hashlib.sha256()
        size = 0
        file = self._directory.open_new(staged)
        try:
            for piece in _larger(archive):
                cancellation.check()
                digest.update(piece)
                size += len(piece)
                file.write(piece)
            file.flush()
            file.close()
            nar = Digest.from_hex(digest.hexdigest())
            self._directory.make_directory(parent(RelPath(nar_path(nar))))
            self._directory.rename(staged, RelPath(nar_path(nar)))
        finally:
            file.close()
            self._directory.remove(staged)
        return nar, size


def _larger(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in fewer pieces: each is a system call."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
