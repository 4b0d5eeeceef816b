"""Local sources: a file or directory of this machine, regular files only, never through a link (spec §5.3)."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
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
from agent_sync.ports import Directory, Kind, World
from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    Outcomes,
    Pin,
    Pinned,
    Request,
    SourceType,
    UpstreamState,
    parameters,
)
from agent_sync.sources.concurrent import each_alone
from agent_sync.sources.content import Content, PackedTree
from agent_sync.sources.directory import Listing, find_files, hash_files, not_a_file, pack_directory
from agent_sync.sources.fields import About, CheckWithin, Flag, Glob, InvalidValue, Line, Surroundings
from agent_sync.sources.table import Table
from agent_sync.tree import ROOT, RelPath, Tree, describe_changes, parent, safe_path
from agent_sync.tree.names import Globs, project_path
from agent_sync_oci.text import quoted


def _check_inside(path: str, around: Surroundings) -> str:
    if not around.values.get("outside_root"):
        try:
            project_path(path, subject="")
        except UnsafePath as error:
            remedy = "name a path below the project root, or add `outside_root: true` if it is meant to be outside"
            raise InvalidValue.of(error, remedy) from error
    return path


@dataclass(frozen=True, kw_only=True)
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
    exclude: Annotated[tuple[Glob, ...], About("Globs over its files; not looked at.", example=["**/*.png"])] = ()
    path: Annotated[
        Line, CheckWithin(_check_inside), About("Relative to the project root.", example="./agents/standards/")
    ]

    @property
    def inside(self) -> RelPath | None:
        """`path`, normalized; None if it is outside the root, which only `outside_root` allows."""
        try:
            return project_path(self.path, subject="")
        except UnsafePath:
            return None


@dataclass(frozen=True, slots=True)
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


class LocalType(SourceType[LocalDeclaration, LocalPin]):
    """Files of this machine, which are upstream and here at once."""

    declaration = LocalDeclaration
    pin = LocalPin

    def resolve(self, requests: Sequence[LocalRequest], context: Context) -> Outcomes[LocalPinned]:
        return each_alone(requests, lambda request: resolve_local(request, context.world))

    def check_upstream(self, requests: Sequence[LocalRequest], context: Context) -> Outcomes[UpstreamState]:
        return each_alone(requests, lambda request: check_local(request, context.world))

    def refetch(self, requests: Sequence[LocalRequest], context: Context) -> Outcomes[Content]:
        return each_alone(requests, lambda request: refetch_local(request, context.world))

    def prove(self, request: LocalRequest, context: Context) -> AgentSyncError | None:
        """A missing directory proves nothing: then the cache serves the source."""
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


def resolve_local(request: LocalRequest, world: World) -> LocalPinned:
    """Pack the directory (or single file) as it is now into the cache.

    Raises: ConfigInvalid (nothing there, or no file in it), UnsafePath, LimitExceeded, DigestMismatch (changed
        meanwhile).
    """
    world.cancellation.check()
    declared, seen = request.declared, scan(request, world)
    if seen is None or not seen.found:
        check = f"nothing is at {quoted(declared.path)}" if seen is None else f"{quoted(declared.path)} holds no file"
        raise ConfigInvalid(subject=request.subject, check=check, remedy="correct `path:`, or remove the source")
    packed = pack_directory(seen.directory, seen.found, world, subject=request.subject)
    return Pinned(request.name, declared, LocalPin(declared.path, packed))


def check_local(request: LocalRequest, world: World) -> UpstreamState:
    """Compare the files of the directory with the lock."""
    world.cancellation.check()
    seen = scan(request, world)
    if seen is None:
        return UpstreamState(same=False, identity="nothing")
    tree = hash_files(seen.directory, seen.found, cancellation=world.cancellation)
    return UpstreamState(request.locked is not None and tree == request.locked.tree, count_of_files(len(tree)))


def refetch_local(request: LocalRequest, world: World) -> PackedTree:
    """Pack the directory into the cache again, if it is as locked. Raises: BytesUnavailable, LockStale."""
    seen = None if request.declaration is None else scan(request, world)
    if seen is None:
        raise BytesUnavailable(
            subject=request.subject,
            check=f"not cached, and nothing is read from {quoted(request.declared.path)}",
            remedy="restore the directory, or copy the cache here",
        )
    packed = pack_directory(seen.directory, seen.found, world, subject=request.subject)
    error = local_change(request.name, request.pinned.tree, packed.files)
    if error is not None:
        raise error
    return packed


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
