"""The directory `.agent-sync/`: what one checkout remembers, made when needed and never committed.

It holds the lock that was last applied here, the edits that were kept, an open journal, and the project's own lock. All
but an open journal and `kept/` can be lost without harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import NamedTuple

from agent_sync.errors import CrossDeviceLink, FileSystemError, ProjectBusy, UnsafePath, UsageError
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync.ports import AppliedState, Directory, Kind
from agent_sync.ports.files import copy, levels, read_bounded
from agent_sync.tree import ROOT, RelPath, join, parent, safe_path
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

STATE = RelPath(".agent-sync")
TRANSACTION = join(STATE, RelPath("txn"))
APPLIED = join(STATE, RelPath("applied.lock"))
INHERITED = join(STATE, RelPath("inherited.lock"))

_IGNORE = join(STATE, RelPath(".gitignore"))
_KEPT = join(STATE, RelPath("kept"))
_HELD = join(STATE, RelPath("lock"))


class Checkout:
    """The `.agent-sync/` of the project in `directory`. Reading never makes anything.

    `applied` is the applied state; without one it is the file `applied.lock`.

    Raises, from every method that reads or writes:
        UnsafePath: `.agent-sync` or something in it is a symlink.
        FileSystemError: the system refused, or something else is in that place.
    """

    def __init__(self, directory: Directory, *, applied: AppliedState | None = None) -> None:
        self.directory = directory
        self.applied = AppliedLock(directory) if applied is None else applied

    @property
    def kept(self) -> KeptEdits:
        """The local edits that were replaced here."""
        return KeptEdits(self.directory, _KEPT)

    def prepare(self) -> None:
        """Make `.agent-sync/`, unseen by git, unless it exists."""
        _prepare(self.directory)

    def is_there(self) -> bool:
        """Tell whether something is remembered here.

        Raises: UnsafePath, FileSystemError if what bears the name is not a directory.
        """
        return _is_there(self.directory)

    @contextmanager
    def hold(self, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the project: nobody else writes to it as long as the `with` block lasts.

        Raises: ProjectBusy if another process holds it for longer than `wait_s` seconds.
        """
        self.prepare()
        with ExitStack() as held:
            try:
                held.enter_context(self.directory.lock(_HELD, wait_s=wait_s))
            except ProjectBusy as error:
                raise ProjectBusy(
                    subject=f"project {quoted(self.directory.name)}",
                    check="locked by another agent-sync process",
                    remedy="wait until that process has finished, then rerun the command",
                ) from error
            yield

    def inherited(self) -> bytes | None:
        """Return what the user's own layers add to the committed lock; None if nothing."""
        return _read_lock(INHERITED, self.directory, again="agent-sync update --inherited")

    def write_inherited(self, content: bytes | None) -> None:
        """Replace what the user's own layers add; None removes it."""
        if content is None:
            self.directory.remove(INHERITED)
        elif self.inherited() != content:
            self.prepare()
            self.directory.replace(INHERITED, content)


class AppliedLock:
    """The applied state as one file, `.agent-sync/applied.lock`: implements `ports.AppliedState`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def read(self) -> bytes | None:
        """Return the lock that was last applied; None if none was."""
        return _read_lock(APPLIED, self._directory, again="agent-sync sync")

    def written_at_s(self) -> float | None:
        """Return when it was committed, in seconds since 1970."""
        stat = self._directory.stat(APPLIED)
        return None if stat is None else stat.modified_ns / 1e9

    def commit(self, staged: RelPath) -> None:
        """Make the file `staged` the applied lock, by one rename."""
        self._directory.rename(staged, APPLIED)

    def write(self, content: bytes) -> None:
        """Put `content` in force where the targets are what it says already."""
        if self.read() != content:
            _prepare(self._directory)
            self._directory.replace(APPLIED, content)

    def witness(self) -> Digest | None:
        """Return the digest of the applied lock; None if none was applied."""
        content = self.read()
        return None if content is None else Digest.of(content)


def _prepare(project: Directory) -> None:
    if _is_there(project) and project.stat(_IGNORE) is not None:
        return
    project.make_directory(STATE)
    project.replace(_IGNORE, b"*\n")


def _is_there(project: Directory) -> bool:
    stat = project.stat(STATE)
    if stat is None or stat.kind is Kind.DIRECTORY:
        return stat is not None
    family = UnsafePath if stat.kind is Kind.LINK else FileSystemError
    what = {Kind.LINK: "a symbolic link", Kind.FILE: "a file"}.get(stat.kind, "a special file")
    raise family(
        subject=f"directory {STATE}",
        check=f"{what} is in the way",
        remedy=f"move it away (mv {STATE} elsewhere): agent-sync makes a directory of its own",
    )


def _read_lock(path: RelPath, project: Directory, *, again: str) -> bytes | None:
    return read_bounded(path, project, max_bytes=MAX_LOCK_BYTES, remedy=f"delete it; {again} makes it again")


# -- The local edits that a sync replaced, each in a directory of its own, so that none can overwrite another.

_MOST_NAMED = 5
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_LAST_S = 253_402_300_799  # the end of the year 9999, which is as far as a date goes


class KeptEdit(NamedTuple):
    """An edit that was replaced: the path it had, where its bytes are now (both from the project's root), since when.

    `number` counts the edits of this checkout: a later one is newer, whatever the clock said.
    """

    number: int
    path: RelPath
    place: RelPath
    when: str


class Restored(NamedTuple):
    """An edit that is back in its place, and the file it replaced, if that was kept in its turn."""

    edit: KeptEdit
    replaced: KeptEdit | None


class KeptEdits:
    """The directory of the kept edits: `<number>-<when>/<path>`, for people to look at as well."""

    def __init__(self, project: Directory, home: RelPath) -> None:
        self._project = project
        self._home = home
        self._last: int | None = None

    def all(self) -> tuple[KeptEdit, ...]:
        """Return every edit that is kept, the oldest first."""
        return tuple(edit for number, name in self._numbered() for edit in self._edits(number, name))

    def newest(self, path: RelPath) -> KeptEdit | None:
        """Return the edit of this path that was kept last; None if none is."""
        return next((edit for edit in reversed(self.all()) if edit.path == path), None)

    def take(self, path: RelPath, *, name: RelPath, directory: Directory, now_s: float) -> KeptEdit:
        """Keep the file `name` of `directory`, an edit of `path`, which is no longer there afterwards."""
        edit = self._reserve(path, now_s)
        try:
            directory.rename(name, edit.place, into=self._project)
        except CrossDeviceLink:
            self._copy(name, directory, edit.place)
            directory.remove(name)
        return edit

    def keep_a_copy(self, path: RelPath, *, now_s: float) -> KeptEdit:
        """Keep the file at `path`, and leave it there as well."""
        edit = self._reserve(path, now_s)
        try:
            self._project.link(path, edit.place)
        except CrossDeviceLink:
            self._copy(path, self._project, edit.place)
        return edit

    def restore(self, path: RelPath, *, keep_present: bool, now_s: float) -> Restored:
        """Put the newest kept edit of `path` back in its place, and keep it no longer.

        Raises: UsageError if none is kept; UnsafePath, FileSystemError if something other than a file is there.
        """
        edit = self.newest(path)
        if edit is None:
            raise UsageError(
                subject=f"file {quoted(path)}",
                check="has no kept edit",
                remedy=self._others(),
            )
        present = self._project.stat(path)
        if present is not None and present.kind is not Kind.FILE:
            family = UnsafePath if present.kind is Kind.LINK else FileSystemError
            check = f"a {present.kind.value} is in the way"
            raise family(subject=f"file {quoted(path)}", check=check, remedy="remove it, then restore")
        replaced = self.keep_a_copy(path, now_s=now_s) if keep_present and present is not None else None
        self._put_back(edit)
        return Restored(edit, replaced)

    def _others(self) -> str:
        """Say which edits are kept instead."""
        paths = list(dict.fromkeys(quoted(edit.path) for edit in reversed(self.all())))
        more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
        return f"kept edits: {', '.join(paths[:_MOST_NAMED])}{more}" if paths else "no edits are kept for this project"

    def _put_back(self, edit: KeptEdit) -> None:
        self._project.make_directory(parent(edit.path))
        try:
            self._project.rename(edit.place, edit.path)
        except CrossDeviceLink:
            # Copied beside its place first, so that the file itself still takes one rename.
            beside = join(parent(edit.path), RelPath(f".agent-sync-restored-{edit.number}"))
            self._project.remove(beside)
            copy(edit.place, beside, source=self._project, into=self._project)
            self._project.rename(beside, edit.path)
            self._project.remove(edit.place)
        self._remove_emptied(parent(edit.place))

    def _copy(self, name: RelPath, directory: Directory, place: RelPath) -> None:
        """Copy by way of another name: half a copy must not look like an edit."""
        half = join(self._home, RelPath("half"))
        self._project.remove(half)
        copy(name, half, source=directory, into=self._project)
        self._project.rename(half, place)

    def _reserve(self, path: RelPath, now_s: float) -> KeptEdit:
        """Make the directory of the next number. A clock that is far off must not keep an edit from being kept."""
        if self._last is None:
            self._last = max((number for number, _ in self._numbered()), default=0)
        self._last = number = self._last + 1
        when = datetime.fromtimestamp(min(max(now_s, 0.0), _LAST_S), UTC).strftime(_TIMESTAMP)
        place = join(self._home, join(RelPath(f"{number:06d}-{when}"), path))
        self._project.make_directory(parent(place))
        return KeptEdit(number, path, place, when)

    def _numbered(self) -> list[tuple[int, str]]:
        """Return the directories of edits with their numbers, in the order of these."""
        split = ((name.partition("-")[0], name) for name in self._project.names(self._home))
        # Python's int() would also read digits of other scripts; what is not ours is passed over.
        return sorted((int(number), name) for number, name in split if number.isascii() and number.isdigit())

    def _edits(self, number: int, name: str) -> Iterator[KeptEdit]:
        top = join(self._home, RelPath(name))
        if (found := self._project.stat(top)) is None or found.kind is not Kind.DIRECTORY:
            return
        for level in levels(top, directory=self._project):
            for place in (join(level.path, file) for file, stat in level.inside if stat.kind is Kind.FILE):
                with suppress(UnsafePath):  # no edit that we kept has such a name
                    path = safe_path(place.removeprefix(f"{top}/"), subject=f"directory {self._home}")
                    yield KeptEdit(number, path, place, name.partition("-")[2])

    def _remove_emptied(self, directory: RelPath) -> None:
        while directory not in (self._home, ROOT) and self._project.remove_directory(directory):
            directory = parent(directory)
