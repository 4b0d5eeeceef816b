"""Files that an earlier lock put into the project and that nothing declares any more."""

from __future__ import annotations

from dataclasses import replace

from agent_sync.lock.model import Lock, Orphan
from agent_sync.lock.outputs import placed, same_outputs
from agent_sync.tree import sorted_paths


def with_orphans(before: Lock | None, after: Lock) -> Lock:
    """`after`, remembering also what `before` had written or remembered and `after` does not write."""
    if before is None:
        return after
    orphans = {orphan.path: orphan for orphan in (*after.orphans, *before.orphans)}
    if not same_outputs(before, after):
        orphans.update({path: Orphan(path, output.entry, output.source) for path, output in placed(before).items()})
    if not orphans:
        return after
    outputs = placed(after)
    left = [path for path in sorted_paths(orphans) if path not in outputs]
    return replace(after, orphans=tuple(orphans[path] for path in left))
