"""Select the files of a commit that a source declares, and check names, links, submodules and limits."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent_sync.errors import ConfigInvalid, LimitExceeded, UnsafePath
from agent_sync.limits import LimitKey, Limits, limit_exceeded
from agent_sync.ports import Cancellation, GitEntry, GitRepository
from agent_sync.sources.git import GitDeclaration
from agent_sync.tree import ROOT, RelPath, refuse_collisions, safe_paths, sorted_paths
from agent_sync.tree.names import Globs, project_path
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.text import quoted

_FILE, _PROGRAM, _LINK, _SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000
_MOST_LINKS = 40  # as many as Linux follows
_LONGEST_LINK_BYTES = 4096
_PIECE_BYTES = 1 << 18


class GitBlob(NamedTuple):
    """A file as the repository has it: the id of its content, and whether it may be run."""

    oid: str
    executable: bool


class Selection:
    """The files of one tree that one declaration wants. First every entry is offered, then all is checked at once.

    Its errors say nothing of sources: several may want the same.
    """

    def __init__(self, declared: GitDeclaration, limits: Limits) -> None:
        self._declared = declared
        self._limits = limits
        self._paths = {path: project_path(path, subject="`paths`") for path in declared.paths}
        self._unmatched = dict(self._paths)
        self._below = tuple(_with_slash(path) for path in self._paths.values())
        self._files = frozenset(self._paths.values())
        self._base = "" if declared.root is None else _with_slash(project_path(declared.root, subject="`root`"))
        self._exclude = Globs(declared.exclude) if declared.exclude else None
        self._excluded_directories: dict[str, bool] = {"": False}
        self._seen_any = False
        self._entries: dict[str, GitEntry] = {}

    @property
    def oids(self) -> list[str]:
        """The ids of the blobs that are taken, links included."""
        return [entry.oid for entry in self._entries.values()]

    @property
    def links(self) -> list[str]:
        """The ids of the blobs that say where links lead."""
        return [entry.oid for entry in self._entries.values() if entry.mode == _LINK]

    def looks_into(self, directory: str) -> bool:
        """Return whether something in this directory, or below, may be wanted; the repository is the empty path."""
        inside = f"{directory}/" if directory else ""
        return _meet(inside, (self._base,)) and (not self._below or _meet(inside, self._below))

    def offer(self, path: str, entry: GitEntry) -> None:
        """Take the entry at `path` if it is wanted. What is outside `root` and `paths`, or excluded, is not looked at.

        Raises: LimitExceeded if there are too many.
        """
        if not self._is_in_scope(path):
            return
        self._seen_any = True
        if self._exclude is not None and self._is_excluded(path, self._exclude):
            return
        self._entries[path] = entry
        if len(self._entries) > self._limits.max_files:
            raise self._too_large("max_files", f"more than {self._limits.max_files} files")

    def check(self) -> None:
        """Raise unless every path that was asked for is there and every name is good.

        Raises: ConfigInvalid (a `paths` entry that matches nothing), UnsafePath.
        """
        for declared, path in self._unmatched.items():
            check = f"{quoted(declared)} under `paths` is not in this commit"
            remedy = "correct it (paths start at the repository's root), or remove it"
            if not _meet(_with_slash(path), (self._base,)):
                check = f"`root: {self._declared.root}` leaves out {quoted(declared)}"
                remedy = "keep one of the two, or correct them: both start at the repository's root"
            part = ("paths", self._declared.paths.index(declared))
            raise ConfigInvalid(subject="", check=check, remedy=remedy, part=part)
        if not self._entries:
            check = f"no file at this commit: {'everything is excluded' if self._seen_any else 'nothing is there'}"
            key = "exclude" if self._seen_any else "ref" if self._declared.root is None else "root"
            raise ConfigInvalid(subject="", check=check, remedy="correct `paths`, `exclude` or `root`", part=(key,))
        refuse_collisions(safe_paths(list(self._entries), subject=""), subject="")
        for name, entry in self._entries.items():
            if entry.mode not in (_FILE, _PROGRAM, _LINK):
                what = "a submodule" if entry.mode == _SUBMODULE else f"of the unknown mode {entry.mode:o}"
                raise self._refused(name, f"is {what}")

    def files(self, repository: GitRepository, *, cancellation: Cancellation) -> list[FileToPack]:
        """Return what to pack, in order; the blobs must be here. A link becomes the file that it points to.

        Raises: UnsafePath (a link that leads nowhere good), LimitExceeded (a file, or all together).
        """
        blobs = self.blobs(repository)
        sizes = {key: repository.blob_size(blob.oid) for key, blob in blobs.items()}
        self.keep_limits(sizes)
        return [
            FileToPack(key, sizes[key], _content(repository, blobs[key].oid, cancellation), blobs[key].executable)
            for key in sorted_paths(blobs)
        ]

    def blobs(self, repository: GitRepository) -> dict[RelPath, GitBlob]:
        """Return what is at each path, links followed; only their blobs must be here. UnsafePath as `files`."""
        return {self._key(path): self._followed(path, repository) for path in self._entries}

    def keep_limits(self, sizes: Mapping[RelPath, int]) -> None:
        """Raise LimitExceeded if files of these lengths in bytes exceed the limits."""
        for key, size in sizes.items():
            if size > self._limits.max_file_size:
                check = f"{quoted(key)} has {size} bytes, more than {self._limits.max_file_size}"
                raise self._too_large("max_file_size", check)
        total = sum(sizes.values())
        if total > self._limits.max_source_size:
            check = f"all files together have {total} bytes, more than {self._limits.max_source_size}"
            raise self._too_large("max_source_size", check)

    def _is_in_scope(self, path: str) -> bool:
        if not path.startswith(self._base):
            return False
        if not self._paths:
            return True
        found = path in self._files or path.startswith(self._below)
        if found and self._unmatched:
            for declared, wanted in list(self._unmatched.items()):
                if path == wanted or path.startswith(_with_slash(wanted)):
                    del self._unmatched[declared]
        return found

    def _is_excluded(self, path: str, exclude: Globs) -> bool:
        return path in exclude or self._is_excluded_directory(path.rpartition("/")[0], exclude)

    def _is_excluded_directory(self, directory: str, exclude: Globs) -> bool:
        """Return whether the directory, or one above, is excluded; asked for every file in it, so remembered."""
        known = self._excluded_directories.get(directory)
        if known is None:
            itself = directory in exclude or f"{directory}/" in exclude
            known = itself or self._is_excluded_directory(directory.rpartition("/")[0], exclude)
            self._excluded_directories[directory] = known
        return known

    def _key(self, path: str) -> RelPath:
        return RelPath(path[len(self._base) :])

    def _followed(self, path: str, repository: GitRepository) -> GitBlob:
        """Return the blob at `path`, or where the link there leads, over any number of further links."""
        at = path
        for _ in range(_MOST_LINKS):
            entry = self._entries[at]
            if entry.mode != _LINK:
                return GitBlob(entry.oid, entry.mode == _PROGRAM)
            at = self._target(at, entry.oid, repository)
        raise self._refused(path, f"is a link that leads through more than {_MOST_LINKS} links")

    def _target(self, path: str, oid: str, repository: GitRepository) -> str:
        if repository.blob_size(oid) > _LONGEST_LINK_BYTES:
            raise self._refused(path, f"is a link of more than {_LONGEST_LINK_BYTES} bytes")
        target = bytes(repository.blob(oid)).decode("utf-8", "surrogateescape")
        leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if leads_to in self._entries and not target.endswith("/"):
            return leads_to
        if target.startswith("/") or leads_to.split("/")[0] == "..":
            where = "outside the repository"
        elif leads_to == "." or any(each.startswith(f"{leads_to}/") for each in self._entries):
            where = "to a directory"
        else:
            where = "to nothing that this source takes"
        raise self._refused(path, f"is a link to {quoted(target)}, {where}")

    def _refused(self, path: str, what: str) -> UnsafePath:
        return UnsafePath(
            subject=f"file {quoted(path)}",
            check=what,
            remedy=f"leave it out with `exclude: [{quoted(path)}]`, or replace it with a file at the source",
        )

    def _too_large(self, key: LimitKey, check: str) -> LimitExceeded:
        return limit_exceeded(key, subject="", check=check, otherwise="leave files out with `paths:` or `exclude:`")


def _meet(directory: str, others: tuple[str, ...]) -> bool:
    """Return whether the directory is in one of the others, or has one of them in it; all end in a slash."""
    return directory.startswith(others) or any(other.startswith(directory) for other in others)


def _with_slash(directory: RelPath) -> str:
    """Return what the paths of everything in the directory begin with."""
    return "" if directory == ROOT else f"{directory}/"


def _content(repository: GitRepository, oid: str, cancellation: Cancellation) -> Iterator[memoryview]:
    """Yield the blob in pieces, read when it is this file's turn: one blob is in memory at a time."""
    cancellation.check()
    whole = memoryview(repository.blob(oid))
    for start in range(0, len(whole), _PIECE_BYTES):
        yield whole[start : start + _PIECE_BYTES]
