"""Where a policy demands it, a lock is as good as the signed bundle that holds it."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync.checkout import INHERITED
from agent_sync.errors import Untrusted
from agent_sync.lock import Lock
from agent_sync.operations.desired import Desired
from agent_sync.operations.inputs import Inputs
from agent_sync.ports.translating import translated


def refuse_untrusted(locks: Sequence[bytes], inputs: Inputs) -> None:
    """Nothing, if no policy says anything against these lockfiles.

    Where signatures are required, each must be held byte for byte by a bundle that was pulled here, or signed here, and
    that the policies accept; and nothing that is revoked may stand in one. Both are judged anew every time, so that
    what is revoked today counts today.

    Raises: Untrusted.
    """
    if not any(trust.rules or trust.require or trust.revoked for trust in inputs.demands.trust):
        return  # nothing of what judges is loaded
    from agent_sync.bundle.kept import refuse_unvouched
    from agent_sync.bundle.policy import TrustFiles, policy_of

    policy = policy_of(inputs.demands.trust, TrustFiles(inputs.world.project, inputs.world.read_file))
    with translated():
        for lock, file in zip(locks, (inputs.lock_file.shown, INHERITED), strict=False):  # often there is but one
            refuse_unvouched(lock, policy, inputs.world.store, name=inputs.bundle_name, file=file)


def refuse_unsigned_outputs(desired: Desired, inputs: Inputs, *, signed: Lock) -> None:
    """Nothing, unless signatures are required and what is wanted is not what the `signed` lock says: nobody has signed
    the configuration that makes it.

    Raises: Untrusted.
    """
    if not any(trust.rules or trust.require for trust in inputs.demands.trust):
        return
    if desired.recipe_changed or signed.outputs is None:
        raise Untrusted(
            subject=inputs.lock_file.shown,
            check="signatures are required, and the configuration makes other outputs than the signed lock says",
            remedy="agent-sync update, and have the new lock signed: agent-sync push --sign",
        )
