"""check: compare the files, and with `deep` the cache, with the lock (spec §9.3)."""

from __future__ import annotations

from agent_sync.events import Warned
from agent_sync.lock import Lock
from agent_sync.lock.model import stored_parts
from agent_sync.operations.desired import desired_state, refuse_no_outputs, warn_blocked
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.plan.actions import edited_orphans
from agent_sync.plan.drift import Drift, all_paths, drift, observe
from agent_sync.sources.content import Content, PackedTree, SingleFile
from agent_sync.store.verify import verify_file, verify_packed
from agent_sync.tree import RelPath
from agent_sync_oci.records import record


@record
class CheckResult:
    """Where the files differ from the lock.

    `files` is how many outputs were compared, `sources` the source of each drifted path. `edited` are the orphans that
    prune would leave, because they are not what was written. `unverified` names what `deep` could not verify, because
    its bytes are not in the cache.
    """

    drift: Drift
    files: int
    sources: dict[str, str]
    strict: bool = False
    edited: frozenset[RelPath] = frozenset()
    unverified: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether there is nothing to report; with `strict` also nothing foreign in shared directories."""
        return self.drift.clean(strict=self.strict)


def check(inputs: Inputs, *, strict: bool = False, fast: bool = False, deep: bool = False) -> CheckResult:
    """Hash every output and compare it with the lock; nothing is written.

    With `fast` a file that was hashed before, and that nothing has touched since, is not read again: that is as good as
    what the file system says of it, and a world that remembers nothing hashes all the same. With `deep` the cache is
    compared, too.

    A symbolic link is never followed: what should be in a directory that is one counts as missing, with a warning.

    Raises: LockMissing, LockStale, BlobCorrupt and LockInvalid (deep), FileSystemError.
    """
    locks = read_locks(inputs)
    refuse_no_outputs(inputs, locks.effective)
    desired = desired_state(inputs, locks, inputs.supplier())
    # `desired.lock`, not the recorded one: it is what sync would write from.
    unverified = verify_stored(inputs, desired.lock) if deep else ()
    paths = all_paths(desired.outputs, desired.orphans, desired.layered)
    world = inputs.world
    observed = observe(
        world.project, paths, directories=desired.directories, trusting=fast, cancellation=world.cancellation
    )
    warn_blocked(observed, world.observer)  # a warning: that the files below it are missing is reported anyway
    found = drift(desired.outputs, observed, orphans=desired.orphans, directories=desired.directories)
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


# -- `deep`: the cache's copy of everything that is locked, against all that the lock says of it.


def verify_stored(inputs: Inputs, lock: Lock) -> tuple[str, ...]:
    """Verify every blob of the lock: files, canonical tar, and narHash agree with it.

    Return what could not be verified, because its bytes are not in the cache; a warning is announced for each.

    Raises: BlobCorrupt, LockInvalid, FileSystemError.
    """
    unverified = []
    for what, part in stored_parts(lock):
        inputs.world.cancellation.check()
        if not _verify_part(part, inputs, subject=f"{inputs.lock_file.label}, {what}"):
            inputs.world.observer(Warned("unverified", what, _reason(part)))
            unverified.append(what)
    return tuple(unverified)


def _verify_part(part: Content, inputs: Inputs, *, subject: str) -> bool:
    """Verify the part, and return True; return False if its bytes are not in the cache."""
    store = inputs.world.store
    blob = part.blob
    if blob is None or store.size(blob) is None:
        return False
    if isinstance(part, SingleFile):
        verify_file(blob, part.size, store, subject=subject)
    else:
        verify_packed(part, store, subject=subject)
    return True


def _reason(part: Content) -> str:
    if isinstance(part, PackedTree) and part.blob is None:
        return "no blob in the lock; `agent-sync update` records it"
    return "not in the cache; `agent-sync update` fetches it"
