"""bundle inspect: what lies in a place."""

from __future__ import annotations

from agent_sync.bundle.inspecting import Inspected, inspect
from agent_sync.bundle.naming import wanted_at
from agent_sync.bundle.opening import opened_place
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.reference import Place


def bundle_inspect(inputs: Inputs, place: Place, *, plain_http: bool = False) -> Inspected:
    """The bundle that lies there: its parts, digests, sizes, and what was attached to it. Nothing of it is proved.

    Raises: UsageWrong, ContentMismatch (it is no bundle), NetworkError, FileFault.
    """
    with opened_place(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        return inspect(wanted_at(place), registry)
