"""update: sources resolved upstream, and the lock that says so (spec §9.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent_sync.config import Config
from agent_sync.errors import AgentSyncError, LimitExceeded, LockInvalid, PartialFailure, UnsafePath, UsageError
from agent_sync.events import Warned
from agent_sync.lock import Lock, LockedSource
from agent_sync.lock.difference import LockDifference, difference, inherited_difference, inherited_part, overlay
from agent_sync.lock.outputs import with_orphans
from agent_sync.lock.writer import lock_bytes
from agent_sync.operations.admission import admit
from agent_sync.operations.inputs import Inputs, inherited_lock
from agent_sync.operations.recover import exclusive_access
from agent_sync.plan.derive import derive
from agent_sync.sources.dispatch import resolve
from agent_sync.supply import Supplier

if TYPE_CHECKING:
    from agent_sync.config.model import Source


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The lock as it is and as it becomes, what differs, and the sources that failed, by name.

    `inherited` is what the user's own layers add to it. `written` says whether a file was written.
    """

    before: Lock | None
    after: Lock
    difference: LockDifference
    inherited: Lock | None
    inherited_difference: LockDifference
    requested: tuple[str, ...]
    failures: Mapping[str, AgentSyncError] = field(default_factory=dict)
    written: bool = False

    @property
    def changes(self) -> bool:
        """Whether writing it would change anything."""
        return not (self.difference.same and self.inherited_difference.same)

    @property
    def worth_writing(self) -> bool:
        """Whether it should be written: there are changes, and not everything that was asked for failed."""
        return self.changes and (not self.requested or len(self.failures) < len(self.requested))

    @property
    def failure(self) -> PartialFailure | None:
        """All failures as one error; None if every requested source was resolved."""
        if not self.failures:
            return None
        return PartialFailure(self.failures, succeeded=len(self.requested) - len(self.failures))

    def raise_failures(self) -> None:
        """Nothing, if every requested source was resolved; PartialFailure otherwise."""
        if self.failure is not None:
            raise self.failure


def update(
    inputs: Inputs,
    names: Sequence[str] = (),
    *,
    inherited: bool = False,
    dry_run: bool = False,
    confirm: Callable[[UpdateResult], bool] | None = None,
) -> UpdateResult:
    """Each named source (all, if none is named) as it is upstream now, in the lock; the others as they were.

    A source that fails keeps its entry and is reported in `failures`. With names, sources that are declared no more
    keep theirs as well; without, they leave the lock. With `inherited` only the sources of the user's own layers are
    resolved, and the committed lock stays as it is. `confirm` sees the result before anything is written.

    Raises: UsageError for a name that is not declared; AmbiguousOutput, TransformFailed and others that concern the
        whole.
    """
    with exclusive_access(inputs, dry_run=dry_run):
        result = _proposal(inputs, names, inherited=inherited)
        if dry_run or not result.worth_writing or (confirm and not confirm(result)):
            return result
        return replace(result, written=_write(inputs, result))


def _proposal(inputs: Inputs, names: Sequence[str], *, inherited: bool) -> UpdateResult:
    """1 what is locked; 2 what upstream has; 3 what of it may enter the lock; 4 the shared lock; 5 what the layers
    add.
    """
    config, shared = inputs.configured(), inputs.shared or inputs.configured()
    before = inputs.lock_file.read()
    before_inherited = _inherited(inputs, before or Lock(), replaced=not names)
    known = overlay(before or Lock(), before_inherited)

    chosen = _chosen(config, shared, names, inherited=inherited)
    supplier = inputs.supplier()
    outcomes = {
        name: admit(outcome, known, config, inputs.world, supplier)
        for name, outcome in resolve(chosen, config, known, inputs.world).items()
    }
    inputs.world.cancellation.check()
    merging = _LockBuilder(inputs, supplier, outcomes, partial=bool(names))
    after = before or Lock()
    if not inherited:
        after = with_orphans(
            before, merging.lock(after, shared, keep=_kept(shared, outcomes), lenient=shared != config)
        )
    keep = _failed(outcomes) if inherited else _kept(config, outcomes)  # a layer may render what the project declares
    merged = after if config == shared else with_orphans(known, merging.lock(known, config, keep=keep))
    after_inherited = None if config == shared else inherited_part(after, merged)
    added = inherited_difference(before_inherited, after_inherited, shared_before=before or Lock(), shared_after=after)
    unreadable = before_inherited is None and inputs.inherited_content() is not None
    return UpdateResult(
        before=before,
        after=after,
        difference=difference(before, after),
        inherited=after_inherited,
        inherited_difference=replace(added, same=added.same and not unreadable),
        requested=tuple(source.name for source in chosen),
        failures={name: each for name, each in outcomes.items() if isinstance(each, AgentSyncError)},
    )


def _inherited(inputs: Inputs, shared: Lock, *, replaced: bool) -> Lock | None:
    """What the user's layers had added. If that cannot be read, and all of it is `replaced` anyway, nothing.

    It comes about without anybody's doing: a colleague takes a source out of the shared lock that it refers to.
    """
    content = inputs.inherited_content()
    try:
        return inherited_lock(content, shared)
    except (LockInvalid, UnsafePath, LimitExceeded) as error:
        if not replaced:
            raise
        inputs.world.observer(Warned("inherited-replaced", error.subject, f"{error.check}; it is made again"))
        return None


def _chosen(config: Config, shared: Config, names: Sequence[str], *, inherited: bool) -> list[Source]:
    """The sources to resolve, in the order of the configuration. UsageError for a name that is not declared, or that
    the project itself declares when only `inherited` ones are to be resolved.
    """
    named = {config.source(name).name for name in names}
    own = {source.name for source in shared.sources}
    if inherited and named & own:
        raise UsageError(
            subject=f"source {min(named & own)}",
            check="the project itself declares it, and --inherited leaves what the project declares alone",
            remedy="update it without --inherited",
        )
    return [
        source
        for source in config.sources
        if (not named or source.name in named) and not (inherited and source.name in own)
    ]


def _kept(config: Config, outcomes: Mapping[str, LockedSource | AgentSyncError]) -> frozenset[str]:
    """The sources that stay as they are recorded: those that were not asked for, and those that failed."""
    return frozenset(
        source.name for source in config.sources if not isinstance(outcomes.get(source.name), LockedSource)
    )


def _failed(outcomes: Mapping[str, LockedSource | AgentSyncError]) -> frozenset[str]:
    return frozenset(name for name, outcome in outcomes.items() if isinstance(outcome, AgentSyncError))


@dataclass(frozen=True, slots=True)
class _LockBuilder:
    """Puts what was resolved into a lock; `partial` says that only named sources were asked for."""

    inputs: Inputs
    supplier: Supplier
    outcomes: Mapping[str, LockedSource | AgentSyncError]
    partial: bool

    def lock(self, before: Lock, config: Config, *, keep: Collection[str], lenient: bool = False) -> Lock:
        """`before` with every resolved source that `config` declares, and with its outputs derived anew; the sources in
        `keep` stay as they are recorded.
        """
        fresh = {name: each for name, each in self.outcomes.items() if isinstance(each, LockedSource)}
        declared = [source.name for source in config.sources]
        found = (fresh.get(name) or before.source(name) for name in declared)
        # What overrides made of sources that are all new is made anew as well, and not believed.
        rendered = None if fresh.keys() >= set(declared) else before.rendered
        lock = replace(before, sources=tuple(each for each in found if each is not None), rendered=rendered)
        made = derive(lock, config, self.inputs.world, supply=self.supplier, keep=keep, lenient=lenient)
        others = (source for source in before.sources if self.partial and source.name not in declared)
        return replace(made, sources=(*made.sources, *others))


def _write(inputs: Inputs, result: UpdateResult) -> bool:
    in_force = lock_bytes(overlay(result.after, result.inherited))
    inputs.world.roots.remember(in_force, path=inputs.lock_file.path)  # first: else the new blobs could be reclaimed
    written = inputs.lock_file.write(result.after)
    if not result.inherited_difference.same:
        inputs.checkout.write_inherited(None if result.inherited is None else lock_bytes(result.inherited))
        written = True
    return written
