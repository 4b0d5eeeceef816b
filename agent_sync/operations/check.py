"""check: do the files match the lock? (spec §9.3)"""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.lock.outputs import packed_trees
from agent_sync.operations.desired import Desired, desire
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.plan.drift import Drift, drift
from agent_sync.plan.observing import all_paths, observe
from agent_sync.store.verifying import verify_packed


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Where the files differ from the lock. `files` is how many outputs were compared, `sources` the source of each
    drifted path.
    """

    drift: Drift
    files: int
    sources: dict[str, str]
    strict: bool = False

    @property
    def clean(self) -> bool:
        """Whether there is nothing to report; with `strict` also nothing foreign in shared folders."""
        return self.drift.clean(strict=self.strict)


def check(inputs: Inputs, *, strict: bool = False, fast: bool = False, deep: bool = False) -> CheckResult:
    """Every output hashed and compared with the lock; nothing is written.

    With `fast` a file that was hashed before, and that nothing has touched since, is not read again: that is as good as
    what the file system says of it, and a world that remembers nothing hashes all the same.
    With `deep` also the store's copy of everything the lock has: files, canonical tar and narHash agree.

    Raises: LockMissing, LockIsStale, BlobCorrupt (deep), UnsafePath where an output's folder is a symbolic link.
    """
    locks = read_locks(inputs)
    desired = desire(inputs, locks, inputs.supplier())
    if deep:
        _verify_store(inputs, desired)
    paths = all_paths(desired.outputs, desired.orphans)
    world = inputs.world
    observed = observe(world.project, paths, folders=desired.folders, trusting=fast, cancellation=world.cancellation)
    found = drift(desired.outputs, observed, orphans=desired.orphans, folders=desired.folders)
    owners = {path: output.source for path, output in desired.outputs.items()}
    owners.update({path: orphan.source for path, orphan in desired.orphans.items()})
    reported = (*found.changed, *found.missing, *found.orphaned)
    return CheckResult(found, len(desired.outputs), {path: owners[path] for path in reported}, strict)


def _verify_store(inputs: Inputs, desired: Desired) -> None:
    """Every blob that the lock names and the store has is whole, and its five digests agree."""
    for subject, packed in packed_trees(desired.lock):
        inputs.world.cancellation.check()
        if packed.blob is not None and inputs.world.store.size(packed.blob) is not None:
            verify_packed(packed, inputs.world.store, subject=f"{inputs.lock_file.shown}, {subject}")
