"""Read directories of this machine: list, hash and pack their regular files, never through a link."""

from __future__ import annotations

from collections.abc import Iterator

from agent_sync.errors import UnsafePath
from agent_sync.limits import Limits, limit_exceeded
from agent_sync.ports import Cancellation, Directory, Kind, Stat, World
from agent_sync.sources.content import PackedTree, store_tree
from agent_sync.tree import (
    ROOT,
    Entry,
    RelPath,
    Tree,
    join,
    parent,
    refuse_collisions,
    safe_paths,
    sorted_paths,
)
from agent_sync.tree.names import Globs
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.text import quoted

NO_GLOBS = Globs(())

Listing = tuple[tuple[RelPath, Stat], ...]
"""Every file below a directory, in tree order, with what the file system says of each."""


def find_files(
    directory: Directory,
    *,
    subject: str,
    limits: Limits,
    exclude: Globs = NO_GLOBS,
    cancellation: Cancellation | None = None,
) -> Listing:
    """List all files below `directory`, hidden ones included; what `exclude` matches is not looked at.

    Raises:
        UnsafePath: a symlink, device, socket or fifo, or a name that is not allowed.
        LimitExceeded: too many files, one that is too large, or too much together.
    """
    found: dict[RelPath, Stat] = {}
    total = 0
    for path, stat in _walk(directory, exclude, subject):
        if cancellation is not None and len(found) % 256 == 0:
            cancellation.check()
        found[path] = stat
        total += stat.size
        keep_limits(subject, path, stat.size, len(found), total, limits)
    refuse_collisions(found, subject=subject)
    return tuple((path, found[path]) for path in sorted_paths(found))


def pack_directory(directory: Directory, found: Listing, world: World, *, subject: str) -> PackedTree:
    """Pack these files of `directory` into one tree in the cache; each is read once.

    Raises: DigestMismatch if a file changes meanwhile, FileSystemError.
    """
    return store_tree(_to_pack(directory, found, world.cancellation), world.store, subject=subject)


def hash_files(directory: Directory, found: Listing, *, cancellation: Cancellation) -> Tree:
    """Hash these files; what was hashed before, and nothing has touched since, is not read again."""
    entries: dict[RelPath, Entry] = {}
    for here, name, (path, stat) in _in_directories(directory, found):
        cancellation.check()
        entries[path] = Entry(here.digest(name, trusting=True), stat.executable)
    return Tree.in_order(entries)


def read_file(directory: Directory, path: RelPath, *, subject: str, limits: Limits) -> bytes:
    """Return the whole content of one file. LimitExceeded if it is larger than `max_file_size`."""
    with directory.open(path) as file:
        content = file.read(limits.max_file_size + 1)
    if len(content) > limits.max_file_size:
        check = f"{quoted(path)} has more than {limits.max_file_size} bytes"
        raise limit_exceeded("max_file_size", subject=subject, check=check)
    return content


def keep_limits(subject: str, path: RelPath, size: int, count: int, total: int, limits: Limits) -> None:
    """Raise LimitExceeded if a file, or the files so far, exceed the limits. Sizes in bytes."""
    otherwise = "leave files out with `exclude:`"
    if size > limits.max_file_size:
        check = f"{quoted(path)} has {size} bytes, more than {limits.max_file_size}"
        raise limit_exceeded("max_file_size", subject=subject, check=check, otherwise=otherwise)
    if total > limits.max_source_size:
        check = f"more than {limits.max_source_size} bytes in all files together"
        raise limit_exceeded("max_source_size", subject=subject, check=check, otherwise=otherwise)
    if count > limits.max_files:
        check = f"more than {limits.max_files} files"
        raise limit_exceeded("max_files", subject=subject, check=check, otherwise=otherwise)


def _to_pack(directory: Directory, found: Listing, cancellation: Cancellation) -> Iterator[FileToPack]:
    for here, name, (path, stat) in _in_directories(directory, found):
        cancellation.check()
        yield FileToPack(path, stat.size, here.chunks(name), executable=stat.executable)


def _in_directories(directory: Directory, found: Listing) -> Iterator[tuple[Directory, RelPath, tuple[RelPath, Stat]]]:
    """Yield each file with its directory and its name there: one walk there does for all that follow."""
    here, opened = directory, ROOT
    for each in found:
        place = parent(each[0])
        if place != opened:
            here, opened = directory if place == ROOT else directory.below(place), place
        yield here, RelPath(each[0].rpartition("/")[2]), each


def _walk(directory: Directory, exclude: Globs, subject: str) -> Iterator[tuple[RelPath, Stat]]:
    """Yield every file below `directory`; without recursion, since directories may be nested deeper than a stack."""
    places = [ROOT]
    for place in places:  # it grows as we go
        here = directory if place == ROOT else directory.below(place)
        paths = [join(place, RelPath(name)) for name in here.names(ROOT)]
        wanted = [path for path in paths if not _is_excluded(path, exclude)] if exclude else paths
        for path in safe_paths(wanted, subject=subject):
            stat = here.stat(RelPath(path.rpartition("/")[2]))
            if stat is None:
                continue  # removed while we looked: the same as if it had gone before
            if stat.kind is Kind.DIRECTORY:
                places.append(path)
            elif stat.kind is Kind.FILE:
                yield path, stat
            else:
                raise not_a_file(subject, path, stat.kind)


def _is_excluded(path: RelPath, exclude: Globs) -> bool:
    return path in exclude or f"{path}/" in exclude


def not_a_file(subject: str, path: RelPath, kind: Kind) -> UnsafePath:
    what = "a symbolic link" if kind is Kind.LINK else "neither a file nor a directory"
    return UnsafePath(
        subject=subject,
        check=f"{quoted(path)} is {what}",
        remedy="replace it with a regular file, or leave it out with `exclude:`",
    )
