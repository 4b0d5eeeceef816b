"""The desired state of a project, and what speaks against reaching it.

Sync, check, status, diff and prune share this one answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from agent_sync.checkout import INHERITED
from agent_sync.config import Config, request_for
from agent_sync.errors import AgentSyncError, LockInvalid, LockStale, UnsafePath, Untrusted
from agent_sync.events import Observer, Warned
from agent_sync.lock import Lock, Orphan
from agent_sync.lock.model import Output, outputs_of, overlay, same_outputs, with_orphans
from agent_sync.operations.inputs import Inputs, Locks, inherited_lock
from agent_sync.plan.derive import derive, refuse_stale
from agent_sync.plan.drift import Observed
from agent_sync.ports import Kind
from agent_sync.sources import source_type
from agent_sync.supply import Supplier, source_context
from agent_sync.targets import OwnedDirectories, owned_directories, refuse_own_files
from agent_sync.tree import Entry, RelPath, refuse_collisions
from agent_sync_oci.text import quoted


class DesiredState(NamedTuple):
    """The lock says what should be there; `recorded` is what was written here last (empty if unknown).

    `orphans` were written once, by this lock or an earlier one, and should not be there any more. `layered` are the
    files of the user's own layers, where those do not count: nobody's orphans, and nothing unexpected.
    """

    lock: Lock
    outputs: Mapping[RelPath, Output]
    directories: OwnedDirectories
    orphans: Mapping[RelPath, Orphan]
    layered: frozenset[RelPath]
    recorded: Mapping[RelPath, Entry]
    recipe_changed: bool


def desired_state(inputs: Inputs, locks: Locks, supplier: Supplier, *, locked: bool = False) -> DesiredState:
    """Return what the lock and, unless it is frozen, the configuration want here.

    If only the recipe changed since the lock was made (targets, overrides, transforms, variables), the outputs are
    derived again from the locked sources, with a warning; `locked` makes that an error.

    Raises: LockStale, LockMissing, AmbiguousOutput, TransformFailed, UnsafePath, and what supplying raises.
    """
    effective = locks.effective
    wanted = effective if inputs.config is None else _derive(inputs, inputs.config, effective, supplier)
    changed = _recipe(wanted) != _recipe(effective) and effective.outputs is not None
    if changed:
        _report_recipe_change(inputs, effective, wanted, locked=locked)
    return _assemble(wanted, locks, layer_outputs(inputs, locks), recipe_changed=changed)


def refuse_no_outputs(inputs: Inputs, lock: Lock) -> None:
    """Raise LockInvalid if neither the lock nor a configuration says where files go.

    Such a lock is another implementation's; taken by its word, every file that is here would be an orphan.
    """
    if inputs.config is None and lock.outputs is None:
        raise LockInvalid(
            subject=inputs.lock_file.label,
            check="has no `outputs`, and without a configuration nothing says where files go",
            remedy="record it where the configuration is: agent-sync update",
        )


def layer_outputs(inputs: Inputs, locks: Locks) -> frozenset[RelPath]:
    """Return the files that only the user's own layers want, where those do not count (`--no-inherit`)."""
    if inputs.inherit:
        return frozenset()
    try:
        inherited = inherited_lock(inputs.checkout.inherited(), locks.shared)
        if inherited is None:
            return frozenset()
        wanted = outputs_of(overlay(locks.shared, inherited)).keys() - outputs_of(locks.shared).keys()
        return frozenset(wanted).union(orphan.path for orphan in inherited.orphans)
    except AgentSyncError:
        return frozenset()  # what does not count cannot stop anything, however broken it is


def _derive(inputs: Inputs, config: Config, lock: Lock, supplier: Supplier) -> Lock:
    refuse_stale(config, lock, inherited=_inherited_names(inputs))
    return derive(lock, config, inputs.world, supply=supplier)


def _inherited_names(inputs: Inputs) -> frozenset[str]:
    """Return the sources that only the user's own layers declare."""
    if inputs.config is None or inputs.shared is None:
        return frozenset()
    return frozenset(each.name for each in inputs.config.sources if each not in inputs.shared.sources)


def _recipe(lock: Lock) -> object:
    """Return the part of a lock that the configuration's recipe decides."""
    transformed = {source.name: source.transformed for source in lock.sources}
    return lock.outputs, lock.rendered, transformed, lock.tool_map


def _report_recipe_change(inputs: Inputs, recorded: Lock, wanted: Lock, *, locked: bool) -> None:
    check = "targets, overrides, transforms, or variables changed since the lock was made"
    gone = [quoted(each.name) for each in recorded.sources if wanted.source(each.name) is None]
    if gone:
        check = f"locks sources that are no longer declared: {', '.join(gone)}"
    if locked:
        raise LockStale(subject=inputs.lock_file.label, check=check, remedy="record it: agent-sync update")
    message = f"{check}; the outputs are derived again; `agent-sync update` records them"
    inputs.world.observer(Warned("recipe-changed", inputs.lock_file.label, message))


def _assemble(wanted: Lock, locks: Locks, layered: frozenset[RelPath], *, recipe_changed: bool) -> DesiredState:
    outputs = outputs_of(wanted, shared=None if locks.inherited is None else locks.shared)
    refuse_own_files(outputs)
    refuse_collisions(outputs, subject="the outputs")
    before = with_orphans(locks.applied, with_orphans(locks.effective, replace(wanted, orphans=())))
    return DesiredState(
        lock=replace(wanted, orphans=before.orphans),  # the layers' files, too: they are remembered for later
        outputs=outputs,
        directories=owned_directories(wanted.outputs or ()),
        orphans={orphan.path: orphan for orphan in before.orphans if orphan.path not in layered},
        layered=layered,
        recorded={path: output.entry for path, output in _last_written(locks.applied, wanted, outputs).items()},
        recipe_changed=recipe_changed,
    )


def _last_written(applied: Lock | None, wanted: Lock, outputs: Mapping[RelPath, Output]) -> Mapping[RelPath, Output]:
    """Return what was written last: as a rule just what is wanted now."""
    if applied is None:
        return {}
    return outputs if same_outputs(applied, wanted) else outputs_of(applied)


# -- Local sources that are no longer what was locked: an update has to come first.


def edited_sources(inputs: Inputs, lock: Lock) -> Iterator[tuple[str, AgentSyncError]]:
    """Yield each source whose files on this machine are not what `lock` has: its name, and how it differs.

    A directory that an update would refuse differs, too. The cache serves one that is not there; one that was supplied
    is not looked at. A file that was hashed before, and that nothing has touched since, is not read again.
    """
    context = source_context(inputs.world)
    for source in () if inputs.config is None else inputs.config.sources:
        request = request_for(source, inputs.configured(), lock.source(source.name))
        if request.locked is not None and source.name not in inputs.supplied:
            error = source_type(source.type).prove(request, context)
            if error is not None:
                yield source.name, inputs.configured().located(source.name, error)


# -- Something else where a directory is needed: a verb that writes refuses it, one that only looks warns.

_MOVE_IT_AWAY = "remove it, or choose another destination"


def warn_blocked(observed: Observed, observer: Observer) -> None:
    """Warn of each path that is in the way of a directory: all that belongs below it counts as missing."""
    for path, kind in observed.blocked.items():
        what = {Kind.LINK: "a symbolic link", Kind.FILE: "a file"}.get(kind, "a special file")
        observer(Warned("blocked", quoted(path), f"{what} is in the way of a directory; {_MOVE_IT_AWAY}"))


def refuse_symlinks(observed: Observed) -> None:
    """Raise UnsafePath if a symbolic link is in the way of a directory: the files may still be behind it."""
    for path, kind in observed.blocked.items():
        if kind is Kind.LINK:
            check = "is a symbolic link in the way of a directory, and none is ever followed"
            raise UnsafePath(subject=quoted(path), check=check, remedy=_MOVE_IT_AWAY)


# -- A policy against the lock: where it requires signatures, a signed bundle must hold the lock.


def refuse_untrusted(locks: Sequence[bytes], inputs: Inputs) -> None:
    """Raise Untrusted if a policy refuses one of these lock files.

    Where signatures are required, each must be held byte for byte by a bundle that was pulled here, or signed here, and
    that the policies accept; and no lock may name what is revoked. Both are judged anew every time, so that a
    revocation counts from the moment that it is known.
    """
    if not any(trust.rules or trust.require or trust.revoked for trust in inputs.demands.trust):
        return  # nothing that verifies signatures is even loaded
    from agent_sync.bundle.trust import policy_of, require_trusted_lock

    policy = policy_of(inputs.demands.trust, inputs.trust_files())
    world = inputs.world
    for lock, file in zip(locks, (inputs.lock_file.label, INHERITED), strict=False):  # often there is but one
        require_trusted_lock(lock, policy, world.store, world.records, name=inputs.bundle_name, file=file)


def refuse_unsigned_outputs(desired: DesiredState, inputs: Inputs, *, signed: Lock) -> None:
    """Raise Untrusted if signatures are required and the configuration makes outputs that no `signed` lock records.

    Nobody has signed the configuration: only the lock's own outputs are covered by its signature.
    """
    if not any(trust.rules or trust.require for trust in inputs.demands.trust):
        return
    if desired.recipe_changed or signed.outputs is None:
        raise Untrusted(
            subject=inputs.lock_file.label,
            check="the policy requires signatures, and the configuration has other outputs than the signed lock",
            remedy="agent-sync update, and have the new lock signed: agent-sync push --sign",
        )
