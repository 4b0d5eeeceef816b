"""verify: check whether newer versions are available (spec §9.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_sync.config import request_for
from agent_sync.errors import AgentSyncError, PartialFailure
from agent_sync.lock import Lock
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.plan.derive import stale_reason
from agent_sync.sources import describe
from agent_sync.sources.base import UpstreamState
from agent_sync.sources.dispatch import check_upstream
from agent_sync.supply import source_context

if TYPE_CHECKING:
    from agent_sync.config.model import Source


@dataclass(frozen=True, slots=True)
class SourceDelta:
    """A source that differs upstream. `locked` and `upstream` are short names of both sides.

    `remedy` is what to do before an update, where that alone does not help.
    """

    name: str
    type: str
    locked: str
    upstream: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The sources that are up to date, those that changed upstream, and those that could not be checked."""

    up_to_date: tuple[str, ...]
    changed: tuple[SourceDelta, ...]
    failures: Mapping[str, AgentSyncError] = field(default_factory=dict)

    @property
    def failure(self) -> PartialFailure | None:
        """All failures as one error; None if every source could be checked."""
        if not self.failures:
            return None
        return PartialFailure(self.failures, succeeded=len(self.up_to_date) + len(self.changed))

    def raise_failures(self) -> None:
        """Raise PartialFailure unless every source could be checked."""
        if self.failure is not None:
            raise self.failure


def verify(inputs: Inputs, names: Sequence[str] = ()) -> VerifyResult:
    """Compare each named source (all, if none is named) with upstream; neither lock nor files are touched.

    Raises: UsageError for a name that is not declared, LockMissing, LockInvalid.
    """
    config = inputs.configured()
    named = {config.source(name).name for name in names}
    chosen = [source for source in config.sources if not named or source.name in named]
    lock = read_locks(inputs).effective  # with the user's layers: their sources are compared, too
    requests = [request_for(each, config, lock.source(each.name)) for each in chosen]
    outcomes = check_upstream(requests, source_context(inputs.world))
    found = {name: each for name, each in outcomes.items() if isinstance(each, UpstreamState)}
    failures = {
        each.name: config.located(each.name, error)
        for each in chosen
        if isinstance(error := outcomes[each.name], AgentSyncError)
    }
    for error in failures.values():
        inputs.run.audit_refusal(error)
    return VerifyResult(
        up_to_date=tuple(each.name for each in chosen if each.name in found and _is_same(each, lock, found[each.name])),
        changed=tuple(
            _delta(each, lock, found[each.name])
            for each in chosen
            if each.name in found and not _is_same(each, lock, found[each.name])
        ),
        failures=failures,
    )


def _is_same(source: Source, lock: Lock, found: UpstreamState) -> bool:
    """Return whether upstream has what is locked, and the lock was made for what is declared now."""
    # A changed declaration counts as changed upstream: an update would bring something else either way.
    return found.same and stale_reason(source, lock) is None


def _delta(source: Source, lock: Lock, found: UpstreamState) -> SourceDelta:
    locked = lock.source(source.name)
    summary = "nothing" if locked is None else describe(locked).summary
    return SourceDelta(source.name, source.type, summary, found.identity, found.remedy)
