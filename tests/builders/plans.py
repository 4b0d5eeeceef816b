"""What a plan is made of, in memory: outputs, and a disk as it was observed."""

from __future__ import annotations

from collections.abc import Mapping

from agent_sync.lock import Orphan
from agent_sync.lock.model import Output, outputs_of
from agent_sync.plan.drift import Observed
from agent_sync.ports import Kind, Stat
from agent_sync.tree import Entry, RelPath
from tests.builders.locks import a_lock, a_placement, a_source
from tests.builders.trees import Files, a_tree

STAT = Stat(Kind.FILE, 1, executable=False, changed_ns=1, modified_ns=1, inode=1)


def outputs(files: Files, *, source: str = "rules") -> dict[RelPath, Output]:
    """Outputs at these paths, all of one source."""
    return outputs_of(a_lock(a_source(source, files), a_placement(source, ".")))


def entries(files: Files) -> dict[RelPath, Entry]:
    """What was written last."""
    return dict(a_tree(files))


def orphans(files: Files, *, source: str = "rules") -> dict[RelPath, Orphan]:
    """Files that an earlier lock had written."""
    return {path: Orphan(path, entry, source) for path, entry in a_tree(files).items()}


def observed(
    files: Files | None = None, *, obstacles: Mapping[str, Kind] | None = None, others: tuple[str, ...] = ()
) -> Observed:
    """A disk with these files; `obstacles` are what is no file, and `others` what nobody asked about."""
    found = a_tree(files or {})
    return Observed(
        files=found,
        stats=dict.fromkeys(found, STAT),
        obstacles={RelPath(path): kind for path, kind in (obstacles or {}).items()},
        others=tuple(map(RelPath, others)),
        blocked={},
    )
