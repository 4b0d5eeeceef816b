"""check: compare the files, and with `deep` the cache, with the lock (spec §9.3)."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.events import Warned
from agent_sync.lock import Lock, PackedTree, UrlPin
from agent_sync.lock.outputs import stored_parts
from agent_sync.operations.desired import desired_state, refuse_no_outputs, warn_blocked
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.plan.actions import edited_orphans
from agent_sync.plan.drift import Drift, drift
from agent_sync.plan.observe import all_paths, observe
from agent_sync.store.verify import verify_file, verify_packed
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest

# -- check --deep: the store's copy of everything that is locked, against all that the lock says of it.


def verify_stored(inputs: Inputs, lock: Lock) -> tuple[str, ...]:
    """What could not be verified, because its bytes are not in the store; a warning has been announced for each.

    Everything else is whole: files, canonical tar and narHash agree with the lock.

    Raises: BlobCorrupt, LockInvalid, FileSystemError.
    """
    unverified = []
    for what, part in stored_parts(lock):
        inputs.world.cancellation.check()
        if not _verify_part(part, inputs, subject=f"{inputs.lock_file.shown}, {what}"):
            inputs.world.observer(Warned("unverified", what, _reason(part)))
            unverified.append(what)
    return tuple(unverified)


def _verify_part(part: PackedTree | UrlPin, inputs: Inputs, *, subject: str) -> bool:
    """Whether its bytes are in the store, where they are as locked then."""
    store = inputs.world.store
    blob = Digest.from_hex(part.sha256) if isinstance(part, UrlPin) else part.blob
    if blob is None or store.size(blob) is None:
        return False
    if isinstance(part, UrlPin):
        verify_file(blob, part.size, store, subject=subject)
    else:
        verify_packed(part, store, subject=subject)
    return True


def _reason(part: PackedTree | UrlPin) -> str:
    if isinstance(part, PackedTree) and part.blob is None:
        return "the lock does not name its blob; `agent-sync update` records it"
    return "its bytes are not in the store; `agent-sync update` brings them there"


# -- check: do the files match the lock? (spec §9.3)


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
        """Whether there is nothing to report; with `strict` also nothing foreign in shared directories."""
        return self.drift.clean(strict=self.strict)


def check(inputs: Inputs, *, strict: bool = False, fast: bool = False, deep: bool = False) -> CheckResult:
    """Every output hashed and compared with the lock; nothing is written.

    With `fast` a file that was hashed before, and that nothing has touched since, is not read again: that is as good as
    what the file system says of it, and a world that remembers nothing hashes all the same.
    With `deep` also the store's copy of everything the lock has: files, canonical tar and narHash agree.

    A link is never followed: what should lie in a directory that is one counts as missing, with a warning.

    Raises: LockMissing, LockStale, BlobCorrupt and LockInvalid (deep), FileSystemError.
    """
    locks = read_locks(inputs)
    refuse_no_outputs(inputs, locks.effective)
    desired = desired_state(inputs, locks, inputs.supplier())
    unverified = verify_stored(inputs, desired.lock) if deep else ()
    paths = all_paths(desired.outputs, desired.orphans)
    world = inputs.world
    observed = observe(
        world.project, paths, directories=desired.directories, trusting=fast, cancellation=world.cancellation
    )
    warn_blocked(observed, world.observer)
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
