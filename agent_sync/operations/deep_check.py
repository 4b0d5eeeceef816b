"""check --deep: the store's copy of everything that is locked, against all that the lock says of it."""

from __future__ import annotations

from agent_sync.events import Warned
from agent_sync.lock import Lock, PackedTree, UrlPin
from agent_sync.lock.outputs import stored_parts
from agent_sync.operations.inputs import Inputs
from agent_sync.store.verifying import verify_file, verify_packed
from agent_sync_oci.digest import Digest


def verify_stored(inputs: Inputs, lock: Lock) -> tuple[str, ...]:
    """What could not be verified, because its bytes are not in the store; a warning has been announced for each.

    Everything else is whole: files, canonical tar and narHash agree with the lock.

    Raises: BlobCorrupt, LockInvalid, FileFault.
    """
    unverified = []
    for what, part in stored_parts(lock):
        inputs.world.cancellation.check()
        if not _verified(part, inputs, subject=f"{inputs.lock_file.shown}, {what}"):
            inputs.world.observer(Warned("unverified", what, _why(part)))
            unverified.append(what)
    return tuple(unverified)


def _verified(part: PackedTree | UrlPin, inputs: Inputs, *, subject: str) -> bool:
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


def _why(part: PackedTree | UrlPin) -> str:
    if isinstance(part, PackedTree) and part.blob is None:
        return "the lock does not name its blob; `agent-sync update` records it"
    return "its bytes are not in the store; `agent-sync update` brings them there"
