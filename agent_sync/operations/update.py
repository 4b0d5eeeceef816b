"""update: resolve sources upstream, and record them in the lock (spec §9.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from agent_sync.config import Config, request_for
from agent_sync.errors import AgentSyncError, LimitExceeded, LockInvalid, PartialFailure, UnsafePath, UsageError
from agent_sync.events import Warned
from agent_sync.guard import refuse_dangerous
from agent_sync.lock import Lock, LockedSource
from agent_sync.lock.difference import LockDifference, difference, inherited_difference, inherited_part
from agent_sync.lock.file import lock_bytes
from agent_sync.lock.model import overlay, with_orphans
from agent_sync.operations.inputs import Inputs, Run, inherited_lock
from agent_sync.operations.phases import (
    exclusive_access,
    replace_inherited_lock,
    replace_lock,
    require_recovered,
    retry_if_moved,
)
from agent_sync.plan.derive import derive, derive_source
from agent_sync.ports import World
from agent_sync.sources.concurrent import outcome_of
from agent_sync.sources.dispatch import resolve
from agent_sync.store.contents import Contents
from agent_sync.supply import Supplier, source_context
from agent_sync.targets import placements
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.config.model import Source


@record
class UpdateResult:
    """The lock before and after, their difference, and the sources that failed, by name.

    `inherited` is what the user's own layers add to the lock. `written` says whether a file was written.
    """

    before: Lock | None
    after: Lock
    difference: LockDifference
    inherited: Lock | None
    inherited_difference: LockDifference
    requested: tuple[str, ...]
    failures: Mapping[str, AgentSyncError] = field(default_factory=dict)
    written: bool = False
    dry_run: bool = False

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
        """Raise PartialFailure unless every requested source was resolved."""
        if self.failure is not None:
            raise self.failure


@record
class UpdatePlan:
    """The lock that an update would write, and what it was made from."""

    inputs: Inputs
    result: UpdateResult


def update(
    run: Run,
    names: Sequence[str] = (),
    *,
    inherited: bool = False,
    dry_run: bool = False,
    confirm: Callable[[UpdateResult], bool] | None = None,
) -> UpdateResult:
    """Resolve each named source (all, if none is named) upstream, and record it in the lock; the others stay.

    A source that fails keeps its entry and is reported in `failures`. With names, sources that are no longer declared
    keep theirs as well; without, they leave the lock. With `inherited` only the sources of the user's own layers are
    resolved, and the committed lock stays as it is. `confirm` asks a person about the result before anything is
    written; the project is not held while it does.

    Raises: what `plan` and `execute` raise. MovedMeanwhile: with `confirm`, the answer was to another question.
    """

    def attempt() -> UpdateResult:
        inputs = run.inputs()
        require_recovered(inputs, dry_run=dry_run)
        planned = plan(inputs, names, inherited=inherited)
        if dry_run or not planned.result.worth_writing or (confirm and not confirm(planned.result)):
            return replace(planned.result, dry_run=dry_run)
        return execute(planned)

    return retry_if_moved(attempt, asked=confirm is not None)


def plan(inputs: Inputs, names: Sequence[str] = (), *, inherited: bool = False) -> UpdatePlan:
    """Resolve the sources, and build the lock from them.

    1 what is locked; 2 what upstream has; 3 what of it may enter the lock; 4 the shared lock; 5 what the layers add.

    Raises: UsageError for a name that is not declared; LockInvalid, AmbiguousOutput, TransformFailed, and others that
        concern the whole lock.
    """
    config, shared = inputs.configured(), inputs.shared or inputs.configured()
    before = inputs.lock_file.parse(inputs.lock_content())
    before_inherited = _inherited(inputs, before or Lock(), replaced=not names)
    known = overlay(before or Lock(), before_inherited)

    chosen = _chosen(config, shared, names, inherited=inherited)
    supplier = inputs.supplier()
    outcomes = {
        name: _located(config, name, _admit(outcome, known, inputs, supplier))
        for name, outcome in _resolve(chosen, config, known, inputs.world).items()
    }
    for failed in (each for each in outcomes.values() if isinstance(each, AgentSyncError)):
        inputs.run.audit_refusal(failed)
    inputs.world.cancellation.check()
    builder = _LockBuilder(inputs, supplier, outcomes, partial=bool(names))
    after = before or Lock()
    if not inherited:
        after = with_orphans(
            before, builder.lock(after, shared, keep=_kept(shared, outcomes), lenient=shared != config)
        )
    keep = _failed(outcomes) if inherited else _kept(config, outcomes)  # a layer may render what the project declares
    merged = after if config == shared else with_orphans(known, builder.lock(known, config, keep=keep))
    after_inherited = None if config == shared else inherited_part(after, merged)
    added = inherited_difference(before_inherited, after_inherited, shared_before=before or Lock(), shared_after=after)
    unreadable = before_inherited is None and inputs.inherited_content() is not None
    result = UpdateResult(
        before=before,
        after=after,
        difference=difference(before, after),
        inherited=after_inherited,
        inherited_difference=replace(added, same=added.same and not unreadable),
        requested=tuple(source.name for source in chosen),
        failures={name: each for name, each in outcomes.items() if isinstance(each, AgentSyncError)},
    )
    return UpdatePlan(inputs, result)


def execute(planned: UpdatePlan) -> UpdateResult:
    """Write the lock that was planned.

    Raises: ProjectBusy, MovedMeanwhile, FileSystemError.
    """
    inputs, result = planned.inputs, planned.result
    with exclusive_access(inputs):
        # First: a blob that no lock in use names could be reclaimed between the two.
        in_force = lock_bytes(overlay(result.after, result.inherited))
        inputs.world.roots.remember(in_force, path=inputs.lock_file.path)
        written = replace_lock(inputs, lock_bytes(result.after))
        if not result.inherited_difference.same:
            replace_inherited_lock(inputs, None if result.inherited is None else lock_bytes(result.inherited))
            written = True
    return replace(result, written=written)


def _located(config: Config, name: str, outcome: LockedSource | AgentSyncError) -> LockedSource | AgentSyncError:
    """Return the outcome, an error with the position of the source's declaration."""
    return config.located(name, outcome) if isinstance(outcome, AgentSyncError) else outcome


def _resolve(
    sources: Sequence[Source], config: Config, known: Lock, world: World
) -> Mapping[str, LockedSource | AgentSyncError]:
    requests = [request_for(each, config, known.source(each.name)) for each in sources]
    return {
        name: each if isinstance(each, AgentSyncError) else LockedSource(each.name, each.declaration, each.pin)
        for name, each in resolve(requests, source_context(world)).items()
    }


def _admit(
    outcome: LockedSource | AgentSyncError, known: Lock, inputs: Inputs, supplier: Supplier
) -> LockedSource | AgentSyncError:
    """Return the source with its transforms run, or the error that keeps it out of the lock.

    The lock's unknown fields are carried over to an unchanged source. What its transforms make is derived anew: nothing
    but the lock records that, and the lock is what is being renewed.
    """
    if isinstance(outcome, AgentSyncError):
        return outcome
    return outcome_of(lambda: _transform_and_gate(_carry_over(outcome, known), inputs, supplier))


def _transform_and_gate(resolved: LockedSource, inputs: Inputs, supplier: Supplier) -> LockedSource:
    derived = derive_source(resolved, inputs.configured(), inputs.world, supply=supplier)
    _gate(derived, inputs, supplier)
    return derived


def _carry_over(resolved: LockedSource, known: Lock) -> LockedSource:
    before = known.source(resolved.name)
    if before is None:
        return resolved
    if before.pin != resolved.pin:
        return replace(resolved, unknown=before.unknown)
    return replace(before, declaration=resolved.declaration, status=resolved.status, transformed=None)


def _gate(derived: LockedSource, inputs: Inputs, supplier: Supplier) -> None:
    config = inputs.configured()
    directories = tuple(each.to for each in placements(config) if each.source == derived.name)
    with Contents(inputs.world.store) as contents:
        if derived.transformed is not None and derived.transformed.packed is not None:
            contents.add_tree(derived.transformed.packed)
        supplier.add_to(contents, (derived,))
        refuse_dangerous(derived, directories, allow=config.source(derived.name).allow, contents=contents)


def _inherited(inputs: Inputs, shared: Lock, *, replaced: bool) -> Lock | None:
    """Return what the user's layers had added; None if that cannot be read, and all of it is `replaced` anyway.

    It becomes unreadable when a colleague takes a source out of the shared lock that it refers to.
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
    """Return the sources to resolve, in the order of the configuration.

    Raises: UsageError for a name that is not declared, or that the project itself declares when only `inherited` ones
        are to be resolved.
    """
    named = {config.source(name).name for name in names}
    own = {source.name for source in shared.sources}
    if inherited and named & own:
        raise UsageError(
            subject=f"source {min(named & own)}",
            check="is declared by the project itself, and --inherited updates only the sources of other layers",
            remedy="update it without --inherited",
        )
    return [
        source
        for source in config.sources
        if (not named or source.name in named) and not (inherited and source.name in own)
    ]


def _kept(config: Config, outcomes: Mapping[str, LockedSource | AgentSyncError]) -> frozenset[str]:
    """Return the sources that stay as they are recorded: those that were not asked for, and those that failed."""
    return frozenset(
        source.name for source in config.sources if not isinstance(outcomes.get(source.name), LockedSource)
    )


def _failed(outcomes: Mapping[str, LockedSource | AgentSyncError]) -> frozenset[str]:
    return frozenset(name for name, outcome in outcomes.items() if isinstance(outcome, AgentSyncError))


@record
class _LockBuilder:
    """Build locks from what was resolved; `partial`: only named sources were asked for."""

    inputs: Inputs
    supplier: Supplier
    outcomes: Mapping[str, LockedSource | AgentSyncError]
    partial: bool

    def lock(self, before: Lock, config: Config, *, keep: Collection[str], lenient: bool = False) -> Lock:
        """Return `before` with every resolved source that `config` declares, and with its outputs derived anew.

        The sources in `keep` stay as they are recorded.
        """
        fresh = {name: each for name, each in self.outcomes.items() if isinstance(each, LockedSource)}
        declared = [source.name for source in config.sources]
        found = (fresh.get(name) or before.source(name) for name in declared)
        # If every source is new, then what overrides made of them is derived anew as well, and not trusted.
        rendered = None if fresh.keys() >= set(declared) else before.rendered
        lock = replace(before, sources=tuple(each for each in found if each is not None), rendered=rendered)
        made = derive(lock, config, self.inputs.world, supply=self.supplier, keep=keep, lenient=lenient)
        others = (source for source in before.sources if self.partial and source.name not in declared)
        return replace(made, sources=(*made.sources, *others))
