"""status: one row per source (spec §9.5)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.errors import UsageError
from agent_sync.events import Warned
from agent_sync.lock import Lock, LockedSource
from agent_sync.lock.model import Output
from agent_sync.operations.desired import DesiredState, desired_state, edited_sources, warn_blocked
from agent_sync.operations.inputs import Inputs, Locks, read_locks
from agent_sync.plan.derive import stale_part, stale_reason
from agent_sync.plan.drift import Observed, State, all_paths, observe, state_of
from agent_sync.sources import describe
from agent_sync.tree import ROOT, RelPath
from agent_sync_oci.text import closest, quoted

if TYPE_CHECKING:
    from agent_sync.config.model import Source


class SourceStatus(NamedTuple):
    """One source: what it is pinned to, where its files go, how far they are what they should be."""

    name: str
    type: str
    pinned_at: str
    targets: tuple[str, ...]
    state: State


class StatusResult(NamedTuple):
    """A row for each source; `last_sync_s` is when files were last written (seconds since 1970), None if that is
    unknown.
    """

    rows: tuple[SourceStatus, ...]
    last_sync_s: float | None


def status(inputs: Inputs, names: Sequence[str] = ()) -> StatusResult:
    """Return the state of the named sources (all, if none is named); nothing is written.

    A source is pending if an update has to come first: it is not locked yet (without a lock none is), its declaration
    changed, or it is a directory that changed since.

    Raises: UsageError for a name that is neither declared nor locked, LockInvalid.
    """
    locks = read_locks(inputs, empty=True)
    stale = _stale(inputs, locks.effective)
    pending = {each.name for each in stale}
    pending |= _edited(inputs, locks.effective, pending)  # one warning for each source is enough
    desired = _desired(inputs, locks, stale)
    by_source = _by_source(desired.outputs)
    unlocked = [each for each in stale if desired.lock.source(each.name) is None]
    _refuse_unknown(names, [*(each.name for each in desired.lock.sources), *(each.name for each in unlocked)])
    chosen = [each for each in desired.lock.sources if not names or each.name in names]
    paths = all_paths(*(by_source.get(source.name, {}) for source in chosen))
    observed = observe(inputs.world.project, paths, trusting=True, cancellation=inputs.world.cancellation)
    warn_blocked(observed, inputs.world.observer)
    if desired.lock.outputs is None:  # another implementation's, which does not say where files go
        pending.update(each.name for each in chosen)
    rows = [_row(each, by_source.get(each.name, {}), desired, observed, late=each.name in pending) for each in chosen]
    rows += [_unlocked_row(each) for each in unlocked if not names or each.name in names]
    return StatusResult(tuple(rows), inputs.checkout.applied.written_at_s())


def _stale(inputs: Inputs, lock: Lock) -> list[Source]:
    sources = () if inputs.config is None else inputs.config.sources
    found = []
    for source in sources:
        why = stale_reason(source, lock)
        if why is not None:
            message = f"{why}; `agent-sync update {source.name}` locks it"
            part = stale_part(source, lock)
            inputs.world.observer(Warned("stale", f"source {source.name}", message, source=source.name, part=part))
            found.append(source)
    return found


def _edited(inputs: Inputs, lock: Lock, stale: Container[str]) -> set[str]:
    """Return the other local sources that sync would refuse as they are now."""
    found = {name: error for name, error in edited_sources(inputs, lock) if name not in stale}
    for name, error in found.items():
        what = "" if error.subject == f"source {name}" else f"{error.subject}: "
        inputs.world.observer(Warned("stale", f"source {name}", f"{what}{error.check}; {error.remedy}", error.place))
    return set(found)


def _desired(inputs: Inputs, locks: Locks, stale: Sequence[Source]) -> DesiredState:
    """Return what should be there: if a source is stale, what the lock alone says, since nothing can be derived."""
    return desired_state(replace(inputs, config=None) if stale else inputs, locks, inputs.supplier())


def _refuse_unknown(names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            remedy = f"choose one of: {', '.join(known)}" if known else "declare one, then run agent-sync update"
            if (near := closest(name, known)) is not None:
                remedy = f"did you mean {quoted(near)}?"
            raise UsageError(subject=f"source {quoted(name)}", check="neither declared nor locked", remedy=remedy)


def _by_source(outputs: Mapping[RelPath, Output]) -> dict[str, dict[RelPath, Output]]:
    found: dict[str, dict[RelPath, Output]] = {}
    for path, output in outputs.items():
        found.setdefault(output.source, {})[path] = output
    return found


def _row(
    source: LockedSource, outputs: Mapping[RelPath, Output], desired: DesiredState, observed: Observed, *, late: bool
) -> SourceStatus:
    directories = [each.to for each in desired.lock.outputs or () if each.source == source.name]
    state = state_of({path: output.entry for path, output in outputs.items()}, desired.recorded, observed)
    return SourceStatus(
        name=source.name,
        type=source.declaration.type,
        pinned_at=describe(source).summary,
        targets=tuple("./" if directory == ROOT else f"{directory}/" for directory in dict.fromkeys(directories)),
        # Missing and drifted files say more than that an update is due.
        state=State.PENDING if late and state is State.SYNCED else state,
    )


def _unlocked_row(source: Source) -> SourceStatus:
    return SourceStatus(source.name, source.type, "not locked", (), State.PENDING)
