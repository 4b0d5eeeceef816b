"""What a source's files are in the cache: a packed tree, or one file as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, NamedTuple

from agent_sync.ports import BlobStore, Contents
from agent_sync.sources.table import Files, Table, Unknown
from agent_sync.tree import Entry, RelPath, Sha256, Tree
from agent_sync.tree.tarball import FileToPack, pack
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record


@record
class PackedTree:
    """A tree and its packed form: the digest and length of its canonical tar, and Nix's hash of it.

    A lock written by another implementation has the files alone; then the other three are None. `unknown_files` holds
    the keys of single files that this version does not know.
    """

    files: Tree
    blob: Digest | None = None
    size: int | None = None
    nar_hash: str | None = None
    unknown_files: Mapping[RelPath, Unknown] = field(default_factory=dict)

    @classmethod
    def read(cls, table: Table, *, required: bool = True) -> PackedTree:
        """Return the tree that `table` records; without `required` it may have no files."""
        return cls.of(table, table.files("files", required=required))

    @classmethod
    def of(cls, table: Table, files: Files) -> PackedTree:
        """Return the tree of these files, with what `table` records of their packed form."""
        return cls(
            files=Tree(zip(files.paths, files.entries, strict=True)),
            blob=table.digest_or_none("blob"),
            size=table.size("size"),
            nar_hash=table.nar_hash("narHash"),
            unknown_files=files.unknown,
        )

    def write(self) -> dict[str, Any]:
        """Return the keys of the lock that record this tree."""
        packed = {"narHash": self.nar_hash, "blob": self.blob, "size": self.size}
        files = {path: write_file(entry) for path, entry in self.files.items()}
        for path, unknown in self.unknown_files.items():
            if path in files:
                files[path] |= unknown
        return {**{key: value for key, value in packed.items() if value is not None}, "files": files}

    def without_prefix(self, prefix: str) -> PackedTree:
        """Return the tree with `prefix` taken off every path; unchanged if one path does not have it."""
        if not self.files or not all(path.startswith(prefix) for path in self.files):
            return self
        start = len(prefix)
        return replace(
            self,
            files=Tree((RelPath(path[start:]), entry) for path, entry in self.files.items()),
            unknown_files={RelPath(path[start:]): unknown for path, unknown in self.unknown_files.items()},
        )


class SingleFile(NamedTuple):
    """One file, which is its own blob: its digest, its name in the tree (`key`), and its length in bytes if recorded.

    `url` is where it came from; a Nix store names the file after it.
    """

    url: str
    sha256: Sha256
    key: RelPath
    size: int | None = None

    @property
    def files(self) -> Tree:
        """The tree with this one file."""
        return Tree({self.key: Entry(self.sha256)})

    @property
    def blob(self) -> Digest:
        """The digest of the file. ValueError if the lock's is none."""
        return Digest.from_hex(self.sha256)


Content = PackedTree | SingleFile


def write_file(entry: Entry) -> dict[str, Any]:
    """Return the keys of the lock that record one file."""
    return {"sha256": entry.sha256, "executable": True} if entry.executable else {"sha256": entry.sha256}


def store_tree(files: Iterable[FileToPack], store: BlobStore, *, subject: str = "this tree") -> PackedTree:
    """Write the canonical tar of `files` to the cache, and return the tree as the lock records it.

    `files` must come in the order of a `Tree` (`sorted_paths`); `subject` names their source in messages.

    Raises:
        DigestMismatch: a file's chunks do not add up to its size: it changed while it was read.
        FileSystemError: the cache cannot be written.
        ValueError: the files are not in order, or one is a directory as well.
    """
    with store.writer() as writer:
        packed = pack(files, writer.write, subject=subject)
        return PackedTree(packed.tree, writer.commit(), packed.size, packed.nar_hash)


def packable(tree: Tree, contents: Contents) -> Iterator[FileToPack]:
    """Yield the files of `tree`, which `contents` has, as `store_tree` takes them."""
    for path, entry in tree.items():
        yield FileToPack(path, contents.size(entry.sha256), contents.chunks(entry.sha256), executable=entry.executable)
