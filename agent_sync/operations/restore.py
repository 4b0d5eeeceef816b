"""restore: the local edit that a sync replaced comes back (docs/reference/command-line.md)."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.checkout import Restored
from agent_sync.lock.outputs import outputs_of
from agent_sync.operations.inputs import Inputs, path_argument, read_applied
from agent_sync.operations.recover import exclusive_access
from agent_sync.tree import Entry, RelPath
from agent_sync.tree.names import project_path


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The edit that is back at its path, and the edit it replaced there, if there was one: that is kept in turn."""

    restored: Restored


def restore(inputs: Inputs, path: str) -> RestoreResult:
    """The newest kept edit of `path` is in its place again, and no longer among the kept ones.

    Raises: UsageError if none is kept for it; UnsafePath, FileSystemError if something other than a file stands there.
    """
    wanted = project_path(path_argument(path, inputs.world.project), subject="the path to restore")
    with exclusive_access(inputs):
        now_s = inputs.world.clock.now_s()
        kept = inputs.checkout.kept
        return RestoreResult(kept.restore(wanted, keep_present=_is_edit(inputs, wanted), now_s=now_s))


def _is_edit(inputs: Inputs, path: RelPath) -> bool:
    """Whether what stands there now is something else than what we wrote: that alone is worth keeping."""
    stat = inputs.world.project.stat(path)
    applied = read_applied(inputs)
    written = None if applied is None else outputs_of(applied).get(path)
    if stat is None or written is None:
        return stat is not None
    return Entry(inputs.world.project.digest(path), stat.executable) != written.entry
