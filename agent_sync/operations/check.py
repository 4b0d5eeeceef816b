"""check: do the files match the lock? (spec §9.3)"""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.operations.blocked import warn_of_blocked
from agent_sync.operations.deep_check import verify_stored
from agent_sync.operations.desired import desire, refuse_no_outputs
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.plan.building import edited_orphans
from agent_sync.plan.drift import Drift, drift
from agent_sync.plan.observing import all_paths, observe
from agent_sync.tree import RelPath


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Where the files differ from the lock. `files` is how many outputs were compared, `sources` the source of each
    drifted path.

    `edited` are the orphans that prune would leave, because they are not what was written. `unverified` names what
    `deep` could not look at, because its bytes are not in the store.
    """

    drift: Drift
    files: int
    sources: dict[str, str]
    strict: bool = False
    edited: frozenset[RelPath] = frozenset()
    unverified: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether there is nothing to report; with `strict` also nothing foreign in shared folders."""
        return self.drift.clean(strict=self.strict)


def check(inputs: Inputs, *, strict: bool = False, fast: bool = False, deep: bool = False) -> CheckResult:
    """Every output hashed and compared with the lock; nothing is written.

    With `fast` a file that was hashed before, and that nothing has touched since, is not read again: that is as good as
    what the file system says of it, and a world that remembers nothing hashes all the same.
    With `deep` also the store's copy of everything the lock has: files, canonical tar and narHash agree.

    A link is never followed: what should lie in a folder that is one counts as missing, with a warning.

    Raises: LockMissing, LockIsStale, BlobCorrupt and LockInvalid (deep), FileFault.
    """
    locks = read_locks(inputs)
    refuse_no_outputs(inputs, locks.effective)
    desired = desire(inputs, locks, inputs.supplier())
    unverified = verify_stored(inputs, desired.lock) if deep else ()
    paths = all_paths(desired.outputs, desired.orphans)
    world = inputs.world
    observed = observe(world.project, paths, folders=desired.folders, trusting=fast, cancellation=world.cancellation)
    warn_of_blocked(observed, world.observer)
    found = drift(desired.outputs, observed, orphans=desired.orphans, folders=desired.folders)
    owners = {path: output.source for path, output in desired.outputs.items()}
    owners.update({path: orphan.source for path, orphan in desired.orphans.items()})
    reported = (*found.changed, *found.missing, *found.orphaned)
    return CheckResult(
        drift=found,
        files=len(desired.outputs),
        sources={path: owners[path] for path in reported},
        strict=strict,
        edited=edited_orphans(desired.orphans, desired.recorded, observed),
        unverified=unverified,
    )
