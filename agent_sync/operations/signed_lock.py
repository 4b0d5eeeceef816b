"""Where a policy demands it, a lock is as good as the signed bundle that holds it."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync.operations.inputs import Inputs


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
    for lock in locks:
        refuse_unvouched(lock, policy, inputs.world.store, name=inputs.bundle_name)
