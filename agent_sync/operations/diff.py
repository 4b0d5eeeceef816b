"""diff: compare the files with the lock, as unified diffs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.errors import UsageError
from agent_sync.operations.desired import desired_state, refuse_no_outputs
from agent_sync.operations.inputs import Inputs, path_argument, read_locks
from agent_sync.plan.actions import FileDiff, build, previews
from agent_sync.plan.drift import observe
from agent_sync.tree import RelPath
from agent_sync_oci.text import quoted


@dataclass(frozen=True, slots=True)
class DiffResult:
    """A diff for each output that is not what the lock says: `-` is what is there, `+` what sync would write."""

    diffs: tuple[FileDiff, ...]


def diff(inputs: Inputs, paths: Sequence[str] = ()) -> DiffResult:
    """Diff the files against what sync would write, at these paths or below them; everywhere if none is given.

    Raises: UsageError for a path with no output at or below it; BytesUnavailable, NetworkError where bytes are not
        at hand.
    """
    supplier = inputs.supplier()
    locks = read_locks(inputs)
    refuse_no_outputs(inputs, locks.effective)
    desired = desired_state(inputs, locks, supplier)
    plain = [path_argument(each, inputs.world.project) for each in paths]
    wanted = {path: output for path, output in desired.outputs.items() if _is_wanted(path, plain)}
    for asked in plain:
        if not any(_is_wanted(path, (asked,)) for path in wanted):
            raise UsageError(
                subject=f"path {quoted(asked)}",
                check="holds no output of agent-sync",
                remedy="list the target directories: agent-sync status",
            )
    observed = observe(inputs.world.project, list(wanted), cancellation=inputs.world.cancellation)
    # Orphans are left out: their bytes are in no lock, and prune names them.
    plan = build(wanted, desired.recorded, observed, remove={})
    with supplier.contents(desired.lock, plan.needed) as contents:
        return DiffResult(tuple(previews(plan.actions, contents, inputs.world.project)))


def _is_wanted(path: RelPath, asked: Sequence[str]) -> bool:
    return not asked or any(each == "." or path == each or path.startswith(f"{each}/") for each in asked)
