"""Resolve, check and refetch many sources at once, each failing alone.

Sources of one group, such as those of one repository, are handled together by their type: one connection, one fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

from agent_sync.errors import AgentSyncError
from agent_sync.events import SourceFinished, SourceStarted
from agent_sync.sources import source_type
from agent_sync.sources.base import Context, Declaration, Outcomes, Pin, Pinned, Request, SourceType, UpstreamState
from agent_sync.sources.concurrent import run_concurrently
from agent_sync.sources.content import Content

T = TypeVar("T")
AnyRequest = Request[Any, Any]
_Work = Callable[[SourceType[Any, Any], Sequence[AnyRequest]], Outcomes[T]]


def resolve(requests: Sequence[AnyRequest], context: Context) -> Outcomes[Pinned[Declaration, Pin]]:
    """Resolve each source upstream; its files are cached afterwards.

    The errors in the result are those of one source each: NetworkError, ConfigInvalid, DigestMismatch, LimitExceeded,
    UnsafePath, Untrusted, BytesUnavailable (offline). Raises: Cancelled.
    """
    return _run(lambda kind, group: _resolve(kind, group, context), requests, context)


def check_upstream(requests: Sequence[AnyRequest], context: Context) -> Outcomes[UpstreamState]:
    """Compare what each source is upstream now with the lock; nothing is cached. Errors as `resolve`."""
    return _run(lambda kind, group: kind.check_upstream(group, context), requests, context)


def refetch(requests: Sequence[AnyRequest], context: Context) -> Outcomes[Content]:
    """Fetch the files of locked sources to the cache again, and return what they are in there. Errors as `resolve`."""
    return _run(lambda kind, group: kind.refetch(group, context), requests, context)


def _resolve(
    kind: SourceType[Any, Any], group: Sequence[AnyRequest], context: Context
) -> Outcomes[Pinned[Declaration, Pin]]:
    for request in group:
        context.world.observer(SourceStarted(request.name))
    outcomes = kind.resolve(group, context)
    for name, outcome in outcomes.items():
        error = str(outcome) if isinstance(outcome, AgentSyncError) else None
        context.world.observer(SourceFinished(name, error))
    return outcomes


def _run(work: _Work[T], requests: Sequence[AnyRequest], context: Context) -> Outcomes[T]:
    """Return the outcomes in the order of the requests."""
    jobs = [partial(work, kind, group) for kind, group in _grouped(requests)]
    outcomes = run_concurrently(jobs, cancellation=context.world.cancellation)
    return {request.name: outcomes[request.name] for request in requests}


def _grouped(requests: Sequence[AnyRequest]) -> list[tuple[SourceType[Any, Any], list[AnyRequest]]]:
    """Return what can be done side by side; first what is on this machine, which waits for no server."""
    groups: dict[tuple[str, bool, Hashable], list[AnyRequest]] = {}
    for request in requests:
        declared = request.declared
        group = source_type(declared.type).group(declared)
        key = (declared.type, group is None, request.name if group is None else group)
        groups.setdefault(key, []).append(request)
    ordered = sorted(groups.values(), key=lambda group: not group[0].declared.is_local)
    return [(source_type(group[0].declared.type), group) for group in ordered]
