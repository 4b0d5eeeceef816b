"""Resolve a directory or file of the project to regular files, never through a link (spec §5.3)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.errors import ConfigInvalid, LimitExceeded, LockStale, UnsafePath
from agent_sync.limits import Limits
from agent_sync.lock import LocalPin, LockedSource, PackedTree
from agent_sync.lock.packing import store_tree
from agent_sync.ports import Cancellation, Directory, Kind, Stat, World
from agent_sync.sources.base import declared
from agent_sync.tree import (
    ROOT,
    Entry,
    RelPath,
    Tree,
    describe_changes,
    join,
    parent,
    refuse_collisions,
    safe_path,
    safe_paths,
    sorted_paths,
)
from agent_sync.tree.globs import Globs
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config.model import LocalSource

NO_GLOBS = Globs(())

Listing = tuple[tuple[RelPath, Stat], ...]
"""Every file below a directory, in tree order, with what the file system says of each."""


class Scan(NamedTuple):
    """A directory, and the files in it that count."""

    directory: Directory
    found: Listing


def resolve_local(source: LocalSource, world: World, *, limits: Limits) -> LockedSource:
    """The source, locked as its directory (or single file) is now; its bytes are in the store.

    Raises: ConfigInvalid (nothing there, or no file in it), UnsafePath, LimitExceeded, DigestMismatch (changed
        meanwhile).
    """
    subject = f"source {source.name}"
    seen = scan(source, world, limits=limits)
    if seen is None or not seen.found:
        check = f"nothing is at {quoted(source.path)}" if seen is None else f"{quoted(source.path)} holds no file"
        raise ConfigInvalid(subject=subject, check=check, remedy="correct `path:`, or remove the source")
    packed = pack_directory(seen.directory, seen.found, world, subject=subject)
    return LockedSource(source.name, declared(source), LocalPin(source.path, packed))


def scan(source: LocalSource, world: World, *, limits: Limits) -> Scan | None:
    """What is at the source's path now; None if nothing is. A single file is seen in its own directory.

    Raises: UnsafePath, LimitExceeded, FileSystemError.
    """
    directory, path = _location(source, world)
    stat = directory.stat(path)
    if stat is None:
        return None
    subject = f"source {source.name}"
    if stat.kind is Kind.FILE:
        return Scan(directory.below(parent(path)), ((safe_path(path.rpartition("/")[2], subject=subject), stat),))
    if stat.kind is not Kind.DIRECTORY:
        raise _not_a_file(subject, path, stat.kind)
    below = directory.below(path)
    exclude = Globs(source.exclude)
    return Scan(
        below, find_files(below, subject=subject, limits=limits, exclude=exclude, cancellation=world.cancellation)
    )


def _location(source: LocalSource, world: World) -> tuple[Directory, RelPath]:
    """The directory that must not be left, and the source's path in it: the project, or with `outside_root` the path's
    own parent.
    """
    if source.inside is not None:
        return world.project, source.inside
    absolute = posixpath.normpath(posixpath.join(world.project.name, source.path))
    above, name = posixpath.split(absolute)
    return world.at(above), RelPath(name) if name else ROOT


def find_files(
    directory: Directory,
    *,
    subject: str,
    limits: Limits,
    exclude: Globs = NO_GLOBS,
    cancellation: Cancellation | None = None,
) -> Listing:
    """All files below `directory`, hidden ones included; what `exclude` holds is not looked at.

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
    """These files of `directory` as one packed tree in the store; each is read once.

    Raises: DigestMismatch if a file changes meanwhile, FileSystemError.
    """
    return store_tree(_to_pack(directory, found, world.cancellation), world.store, subject=subject)


def read_file(directory: Directory, path: RelPath, *, subject: str, limits: Limits) -> bytes:
    """The whole content of one file. LimitExceeded if it is larger than `max_file_size`."""
    with directory.open(path) as file:
        content = file.read(limits.max_file_size + 1)
    if len(content) > limits.max_file_size:
        check = f"{quoted(path)} has more than {limits.max_file_size} bytes (max_file_size)"
        raise LimitExceeded(subject=subject, check=check, remedy="raise it under `limits:`")
    return content


def _to_pack(directory: Directory, found: Listing, cancellation: Cancellation) -> Iterator[FileToPack]:
    for here, name, (path, stat) in _in_directories(directory, found):
        cancellation.check()
        yield FileToPack(path, stat.size, here.chunks(name), executable=stat.executable)


def hash_tree(seen: Scan, *, cancellation: Cancellation) -> Tree:
    """The tree of these files; what was hashed before, and nothing has touched since, is not read again."""
    entries: dict[RelPath, Entry] = {}
    for here, name, (path, stat) in _in_directories(seen.directory, seen.found):
        cancellation.check()
        entries[path] = Entry(here.digest(name, trusting=True), stat.executable)
    return Tree.in_order(entries)


def _in_directories(directory: Directory, found: Listing) -> Iterator[tuple[Directory, RelPath, tuple[RelPath, Stat]]]:
    """Each file with the directory it lies in and its name there: walking there once does for all that follow."""
    here, opened = directory, ROOT
    for each in found:
        place = parent(each[0])
        if place != opened:
            here, opened = directory if place == ROOT else directory.below(place), place
        yield here, RelPath(each[0].rpartition("/")[2]), each


def refuse_changed(source: str, locked: Tree, actual: Tree) -> None:
    """Nothing, if a local source is what the lock says; what `changed` says otherwise."""
    error = local_change(source, locked, actual)
    if error is not None:
        raise error


def local_change(source: str, locked: Tree, actual: Tree) -> LockStale | None:
    """Return the error that says how a local source differs from the lock; None if it does not."""
    changes = locked.changes_to(actual)
    if not changes:
        return None
    return LockStale(
        subject=f"source {source}",
        check=f"the local files are not what the lock says: {describe_changes(changes)}",
        remedy=f"lock them as they are: agent-sync update {source}",
    )


def _walk(directory: Directory, exclude: Globs, subject: str) -> Iterator[tuple[RelPath, Stat]]:
    """Every file below `directory`; without recursion, since directories may be nested deeper than a stack goes."""
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
                raise _not_a_file(subject, path, stat.kind)


def _is_excluded(path: RelPath, exclude: Globs) -> bool:
    return path in exclude or f"{path}/" in exclude


def _not_a_file(subject: str, path: RelPath, kind: Kind) -> UnsafePath:
    what = "a symbolic link" if kind is Kind.LINK else "neither a file nor a directory"
    return UnsafePath(
        subject=subject,
        check=f"{quoted(path)} is {what}",
        remedy="replace it by a regular file, or leave it out with `exclude:`",
    )


def keep_limits(subject: str, path: RelPath, size: int, count: int, total: int, limits: Limits) -> None:
    """Nothing, if a file, and the files so far, keep the limits; LimitExceeded otherwise. Sizes in bytes."""
    if size > limits.max_file_size:
        check = f"{quoted(path)} has {size} bytes, max_file_size is {limits.max_file_size}"
    elif total > limits.max_source_size:
        check = f"its files have more than {limits.max_source_size} bytes together (max_source_size)"
    elif count > limits.max_files:
        check = f"it has more than {limits.max_files} files (max_files)"
    else:
        return
    raise LimitExceeded(
        subject=subject, check=check, remedy="leave files out with `exclude:`, or raise it under `limits:`"
    )
