"""Survey a plan against the disk as it is now, and list the changes; obstacles are met before a target is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from agent_sync.apply.transaction import Change, FileChange, NewDirectory, StagedFile
from agent_sync.checkout import STATE
from agent_sync.errors import AgentSyncError, Cancelled, FileSystemError, UnsafePath
from agent_sync.plan.actions import Action, Plan, Step
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.ports.files import levels
from agent_sync.tree import ROOT, Entry, RelPath, join, parent
from agent_sync.tree.names import fold
from agent_sync_oci.text import quoted

# A clock's tick is at most 10 ms, a coarse file system's 2 s: an edit within one tick need not show in a file's times.
_YOUNG_S = 2.5


def survey(plan: Plan, project: Directory, *, now_s: float) -> tuple[Change, ...]:
    """Return the changes that the plan takes, in the order of the paths; nothing is touched, so a dry run can ask too.

    Each target is looked at again: what is not what the plan saw there counts as somebody's edit.

    Raises:
        UnsafePath: a target, or a directory on its way, is a symlink, or it is in `.agent-sync/`.
        FileSystemError: something else is there that is no file of ours.
    """
    removed = frozenset(action.path for action in plan.actions if action.step is Step.REMOVE)
    found = _Survey(project, removed, now_s)
    for directory, actions in groupby(plan.actions, key=lambda action: parent(action.path)):
        together = tuple(actions)
        _refuse_own_state(together if directory == ROOT else together[:1])
        found.look(directory, together)
    return found.changes()


class _Survey:
    """The changes found so far."""

    def __init__(self, project: Directory, removed: frozenset[RelPath], now_s: float) -> None:
        self._project = project
        self._removed = removed
        self._now_ns = int(now_s * 1e9)
        self._outermost_missing: dict[RelPath, RelPath | None] = {ROOT: None}
        self._files: list[FileChange] = []
        self._new_files: dict[RelPath, list[StagedFile]] = {}

    def changes(self) -> tuple[Change, ...]:
        """Return everything found, numbered: the files, then the new directories."""
        directories = enumerate(self._new_files.items(), start=len(self._files))
        return (*self._files, *(NewDirectory(number, path, tuple(files)) for number, (path, files) in directories))

    def look(self, directory: RelPath, actions: Sequence[Action]) -> None:
        """Note the changes of these actions, which are all in one directory."""
        action = actions[0]
        try:
            missing = self._missing(directory)
            if missing is not None:
                self._add_to_new_directory(missing, actions)
                return
            there = self._project.below(directory)
            for action in actions:  # the error below names the one that failed
                self._note_file(action, there)
        except AgentSyncError as error:
            add_error_context(error, action.source, action.path)
            raise

    def _add_to_new_directory(self, missing: RelPath, actions: Iterable[Action]) -> None:
        cut = len(missing) + 1
        files = [
            StagedFile(RelPath(each.path[cut:]), each.after, each.source) for each in actions if each.after is not None
        ]
        if files:
            self._new_files.setdefault(missing, []).extend(files)

    def _missing(self, directory: RelPath) -> RelPath | None:
        """Return the outermost directory that has to be made for `directory` to exist; None if it does."""
        if directory in self._outermost_missing:
            return self._outermost_missing[directory]
        missing = self._missing(parent(directory))
        if missing is None and not self._exists(directory):
            missing = directory
        self._outermost_missing[directory] = missing
        return missing

    def _exists(self, directory: RelPath) -> bool:
        stat = self._project.stat(directory)
        if stat is None or (stat.kind is Kind.FILE and directory in self._removed):
            return False
        if stat.kind is Kind.DIRECTORY:
            return True
        raise _in_the_way(directory, stat.kind, "where a directory is needed")

    def _note_file(self, action: Action, there: Directory) -> None:
        name = RelPath(action.path.rpartition("/")[2])
        stat = there.stat(name)
        if stat is None and action.after is None:
            return  # gone already
        if stat is None:
            self._note(action)
        elif stat.kind is Kind.FILE:
            self._note(action, ours=self._ours(action, stat, there, name), stat=stat)
        elif stat.kind is Kind.DIRECTORY and action.after is not None:
            self._refuse_foreign_files(action.path)
            self._note(action)
        else:
            raise _in_the_way(action.path, stat.kind)

    def _note(self, action: Action, *, ours: Entry | None = None, stat: Stat | None = None) -> None:
        trusted = None if stat is None or ours is None or self._is_young(stat) else stat
        self._files.append(FileChange(len(self._files), action.path, action.source, ours, action.after, trusted))

    def _ours(self, action: Action, stat: Stat, there: Directory, name: RelPath) -> Entry | None:
        """Return what the file is if we wrote it; None if it is somebody's edit."""
        if action.edited or action.before is None:
            return None
        # Hashed again only where the times cannot prove that nobody wrote since the plan was made.
        if action.stat == stat and not self._is_young(stat):
            return action.before
        return action.before if Entry(there.digest(name), stat.executable) == action.before else None

    def _is_young(self, stat: Stat) -> bool:
        return self._now_ns - max(stat.changed_ns, stat.modified_ns) < _YOUNG_S * 1e9

    def _refuse_foreign_files(self, directory: RelPath) -> None:
        """Raise FileSystemError unless all that the directory holds is going to be removed."""
        for level in levels(directory, directory=self._project):
            for name, stat in level.inside:
                path = join(level.path, name)
                if stat.kind is not Kind.DIRECTORY and path not in self._removed:
                    raise _in_the_way(directory, Kind.DIRECTORY, f"with {quoted(path)} in it")


def _refuse_own_state(actions: Iterable[Action]) -> None:
    for action in actions:
        if fold(action.path.partition("/")[0]) == STATE:
            raise UnsafePath(
                subject=target_subject(action.source, action.path),
                check=f"{STATE}/ belongs to agent-sync itself",
                remedy="choose another destination",
            )


def _in_the_way(path: RelPath, kind: Kind, detail: str = "") -> AgentSyncError:
    where = f" {detail}" if detail else ""
    if kind is Kind.LINK:
        return UnsafePath(
            subject=quoted(path),
            check=f"a symbolic link is in the way{where}, and links are never followed",
            remedy="remove the link, or choose another destination",
        )
    what = {Kind.FILE: "a file", Kind.DIRECTORY: "a directory"}.get(kind, "a special file")
    return FileSystemError(
        subject=quoted(path), check=f"{what} is in the way{where}", remedy="move it away, or choose another destination"
    )


# -- Error context: which target, and which source, a failure is about (spec §9.1).


def add_error_context(error: AgentSyncError, source: str, path: str) -> None:
    """Make the error, of whatever family it is, one about this target; its old subject joins the check."""
    if isinstance(error, Cancelled):
        return
    if not error.subject.endswith(quoted(path)):
        error.check = f"{error.check} ({error.subject})"
    error.subject = target_subject(source, path)
    error.args = (f"{error.subject}: {error.check}",)


def add_change_context(error: AgentSyncError, change: Change) -> None:
    """Do the same for what happened to a change as a whole."""
    add_error_context(error, change.source if isinstance(change, FileChange) else change.files[0].source, change.path)


def target_subject(source: str, path: str) -> str:
    """Return the subject of an error about a target."""
    return f"source {source}, file {quoted(path)}"
