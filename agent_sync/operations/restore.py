"""restore: put back a local edit that a sync replaced (docs/reference/command-line.md)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from agent_sync.checkout import KeptEdit, Restored
from agent_sync.events import EditRestored
from agent_sync.lock.model import outputs_of
from agent_sync.operations.inputs import Inputs, Run, applied_lock, moved, path_argument
from agent_sync.operations.phases import audited, exclusive_access, require_recovered, retry_if_moved
from agent_sync.ports import Kind, Stat
from agent_sync.tree import Entry, RelPath
from agent_sync.tree.names import project_path
from agent_sync_oci.text import quoted


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The edit that is back at its path, and the edit it replaced there, if there was one: that is kept in turn."""

    restored: Restored


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """The edit to put back (None if none is kept), what is at its path now, and whether that is an edit, too."""

    inputs: Inputs
    path: RelPath
    edit: KeptEdit | None
    present: Stat | None
    keep_present: bool


def restore(run: Run, path: str) -> RestoreResult:
    """Put the newest kept edit of `path` back, and keep it no longer.

    Raises: what `plan` and `execute` raise.
    """

    def attempt() -> RestoreResult:
        inputs = run.bare_inputs()
        require_recovered(inputs)
        return execute(plan(inputs, path))

    return retry_if_moved(attempt)


def plan(inputs: Inputs, path: str) -> RestorePlan:
    """Find the newest kept edit, and what is at its path. Raises: UsageError, UnsafePath, FileSystemError."""
    wanted = project_path(path_argument(path, inputs.world.project), subject="the path to restore")
    edit, present = inputs.checkout.kept.newest(wanted), inputs.world.project.stat(wanted)
    return RestorePlan(inputs, wanted, edit, present, keep_present=_is_edit(inputs, wanted, present))


def execute(planned: RestorePlan) -> RestoreResult:
    """Put the edit back.

    Raises: UsageError if none is kept; UnsafePath, FileSystemError if something other than a file is in the way;
        ProjectBusy, MovedMeanwhile.
    """
    inputs, path = planned.inputs, planned.path
    with exclusive_access(inputs):
        kept = inputs.checkout.kept
        # By stat: restoring keeps what is there if it is an edit, and the plan has judged that by its content.
        if kept.newest(path) != planned.edit or inputs.world.project.stat(path) != planned.present:
            raise moved(quoted(path))
        with audited(inputs, EditRestored(path)) if planned.edit is not None else nullcontext():
            now_s = inputs.world.clock.now_s()
            return RestoreResult(kept.restore(path, keep_present=planned.keep_present, now_s=now_s))


def _is_edit(inputs: Inputs, path: RelPath, present: Stat | None) -> bool:
    """Return whether what is there is something else than what we wrote: that alone is worth keeping."""
    if present is None or present.kind is not Kind.FILE:
        return False  # restoring refuses whatever is no file
    applied = applied_lock(inputs)
    written = None if applied is None else outputs_of(applied).get(path)
    return written is None or Entry(inputs.world.project.digest(path), present.executable) != written.entry
