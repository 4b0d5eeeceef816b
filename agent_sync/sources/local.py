"""Local sources: a file or directory of this machine, regular files only, never through a link (spec §5.3)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import field
from typing import Annotated, Any, ClassVar, NamedTuple

from agent_sync.errors import (
    AgentSyncError,
    BytesUnavailable,
    ConfigInvalid,
    FileSystemError,
    LimitExceeded,
    LockStale,
    UnsafePath,
)
from agent_sync.limits import Limits, limit_exceeded
from agent_sync.ports import Cancellation, Directory, Kind, Stat, World
from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    IndependentSourceType,
    Pin,
    Pinned,
    Request,
    UpstreamState,
    parameters,
)
from agent_sync.sources.content import Content, PackedTree, store_tree
from agent_sync.sources.fields import About, CheckWithin, Flag, Glob, InvalidValue, Line, Surroundings
from agent_sync.sources.table import Table
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
from agent_sync.tree.names import Globs, project_path
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted

# -- directories -------------------------------------------------------------------------------------------------------

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


# -- local sources -----------------------------------------------------------------------------------------------------


def _check_inside(path: str, around: Surroundings) -> str:
    if not around.values.get("outside_root"):
        try:
            project_path(path, subject="")
        except UnsafePath as error:
            remedy = "name a path below the project root, or add `outside_root: true` if it is meant to be outside"
            raise InvalidValue.of(error, remedy) from error
    return path


@record(kw_only=True)
class LocalDeclaration(Declaration):
    """A file or directory of this machine (spec §5.3)."""

    type: ClassVar[str] = "local"
    title: ClassVar[str] = "LocalSource"
    location_key: ClassVar[str] = "path"
    is_local: ClassVar[bool] = True
    also_resolved: ClassVar[tuple[str, ...]] = ("path",)

    outside_root: Annotated[Flag, About("Whether `path` may be outside the project root.")] = field(
        default=False, compare=False
    )
    exclude: Annotated[tuple[Glob, ...], About("Globs for files to leave out.", example=["**/*.png"])] = ()
    path: Annotated[
        Line,
        CheckWithin(_check_inside),
        About("A file or directory, relative to the project root.", example="./agents/standards/"),
    ]

    @property
    def inside(self) -> RelPath | None:
        """`path`, normalized; None if it is outside the root, which only `outside_root` allows."""
        try:
            return project_path(self.path, subject="")
        except UnsafePath:
            return None


@record
class LocalPin(Pin):
    """A directory or file of the project, and what it held."""

    path: str
    packed: PackedTree

    @property
    def content(self) -> Content:
        return self.packed

    @classmethod
    def read(cls, resolved: Table) -> LocalPin:
        path, packed = resolved.text("path"), PackedTree.read(resolved)
        if packed.blob is None:
            # A foreign lock's keys may begin with the directory's own name, as the spec's example does (spec §4.2).
            packed = packed.without_prefix(path.rstrip("/").rpartition("/")[2] + "/")
        return cls(path, packed)

    def write(self) -> dict[str, Any]:
        return {"path": self.path, **self.packed.write()}


LocalRequest = Request[LocalDeclaration, LocalPin]
LocalPinned = Pinned[LocalDeclaration, LocalPin]


class LocalType(IndependentSourceType[LocalDeclaration, LocalPin]):
    """Files of this machine, which are upstream and here at once."""

    declaration = LocalDeclaration
    pin = LocalPin

    def resolve_one(self, request: LocalRequest, context: Context) -> LocalPinned:
        """Pack the directory (or single file) as it is now into the cache.

        Raises: ConfigInvalid (nothing there, or no file in it), UnsafePath, LimitExceeded, DigestMismatch (changed
            meanwhile).
        """
        declared, seen = request.declared, scan(request, context.world)
        if seen is None or not seen.found:
            check = f"path {quoted(declared.path)} {'does not exist' if seen is None else 'holds no file'}"
            raise ConfigInvalid(subject=request.subject, check=check, remedy="correct `path:`, or remove the source")
        packed = pack_directory(seen.directory, seen.found, context.world, subject=request.subject)
        return Pinned(request.name, declared, LocalPin(declared.path, packed))

    def check_one(self, request: LocalRequest, context: Context) -> UpstreamState:
        """Compare the files of the directory with the lock."""
        seen = scan(request, context.world)
        if seen is None:
            return UpstreamState(same=False, identity="nothing")
        tree = hash_files(seen.directory, seen.found, cancellation=context.world.cancellation)
        return UpstreamState(request.locked is not None and tree == request.locked.tree, count_of_files(len(tree)))

    def refetch_one(self, request: LocalRequest, context: Context) -> PackedTree:
        """Pack the directory into the cache again, if it is as locked. Raises: BytesUnavailable, LockStale."""
        seen = None if request.declaration is None else scan(request, context.world)
        if seen is None:
            raise BytesUnavailable(
                subject=request.subject,
                check=f"not cached, and nothing is read from {quoted(request.declared.path)}",
                remedy="restore the directory, or copy the cache here",
            )
        packed = pack_directory(seen.directory, seen.found, context.world, subject=request.subject)
        error = local_change(request.name, request.pinned.tree, packed.files)
        if error is not None:
            raise error
        return packed

    def prove(self, request: LocalRequest, context: Context) -> AgentSyncError | None:
        """Compare the directory with the lock; one that is missing proves nothing, and the cache serves the source."""
        try:
            seen = scan(request, context.world)
        except (UnsafePath, LimitExceeded, FileSystemError) as error:
            return error
        if seen is None:
            return None
        actual = hash_files(seen.directory, seen.found, cancellation=context.world.cancellation)
        return local_change(request.name, request.pinned.tree, actual)

    def describe(self, pinned: LocalPinned) -> Description:
        return Description(
            summary=count_of_files(len(pinned.tree)),
            uri=f"file:{pinned.pin.path}",
            digests={},
            parameters=parameters(pinned.declaration),
            location_type="other",
        )


class Scan(NamedTuple):
    """A directory, and the files in it that count."""

    directory: Directory
    found: Listing


def scan(request: LocalRequest, world: World) -> Scan | None:
    """Return what is at the source's path now; None if nothing is. A single file is seen in its own directory.

    Raises: UnsafePath, LimitExceeded, FileSystemError.
    """
    directory, path = _location(request.declared, world)
    stat = directory.stat(path)
    if stat is None:
        return None
    if stat.kind is Kind.FILE:
        name = safe_path(path.rpartition("/")[2], subject=request.subject)
        return Scan(directory.below(parent(path)), ((name, stat),))
    if stat.kind is not Kind.DIRECTORY:
        raise not_a_file(request.subject, path, stat.kind)
    below = directory.below(path)
    found = find_files(
        below,
        subject=request.subject,
        limits=request.limits,
        exclude=Globs(request.declared.exclude),
        cancellation=world.cancellation,
    )
    return Scan(below, found)


def local_change(source: str, locked: Tree, actual: Tree) -> LockStale | None:
    """Return the error that says how a local source differs from the lock; None if it does not."""
    changes = locked.changes_to(actual)
    if not changes:
        return None
    return LockStale(
        subject=f"source {source}",
        check=f"the local files differ from the lock: {describe_changes(changes)}",
        remedy=f"lock them as they are: agent-sync update {source}",
    )


def count_of_files(count: int) -> str:
    """Return `(1 file)`, `(5 files)`."""
    return f"({count} file{'' if count == 1 else 's'})"


def _location(declared: LocalDeclaration, world: World) -> tuple[Directory, RelPath]:
    """Return the directory that must not be left, and the path in it: the project's, or with `outside_root` the path's
    own parent.
    """
    if declared.inside is not None:
        return world.project, declared.inside
    absolute = posixpath.normpath(posixpath.join(world.project.name, declared.path))
    above, name = posixpath.split(absolute)
    return world.at(above), RelPath(name) if name else ROOT


TYPE = LocalType()
