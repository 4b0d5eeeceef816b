"""Compare two locks, and overlay one with another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_sync.lock.model import GitPin, LocalPin, Lock, LockedSource, OciPin, Orphan, UrlPin
from agent_sync.lock.outputs import outputs_tree
from agent_sync.lock.writer import lock_bytes
from agent_sync.tree import Change, RelPath, Tree

# -- The shared lock and what a user's own layers add to it (docs/reference/configuration.md, "Layers and the shared
# lock").


def overlay(shared: Lock, inherited: Lock | None) -> Lock:
    """Both as one lock: sources of `inherited` replace or join those of `shared`; its outputs, if it has any, hold."""
    if inherited is None:
        return shared
    own = {source.name: source for source in inherited.sources}
    known = {source.name for source in shared.sources}
    return replace(
        shared,
        sources=(
            *(own.get(source.name, source) for source in shared.sources),
            *(source for source in inherited.sources if source.name not in known),
        ),
        outputs=shared.outputs if inherited.outputs is None else inherited.outputs,
        rendered=shared.rendered if inherited.outputs is None else inherited.rendered,
        orphans=_united(shared, inherited),
    )


def inherited_part(shared: Lock, merged: Lock) -> Lock | None:
    """What has to be laid over `shared` to get `merged`; None if they say the same."""
    sources = tuple(source for source in merged.sources if source != shared.source(source.name))
    same_outputs = merged.outputs == shared.outputs and merged.rendered == shared.rendered
    if not sources and same_outputs and merged.orphans == shared.orphans:
        return None
    part = replace(merged, sources=sources, unknown={})
    return replace(part, outputs=None, rendered=None) if same_outputs else part


def _united(shared: Lock, inherited: Lock) -> tuple[Orphan, ...]:
    orphans: dict[RelPath, Orphan] = {orphan.path: orphan for orphan in (*shared.orphans, *inherited.orphans)}
    return tuple(orphans[path] for path in sorted(orphans, key=lambda path: path.replace("/", "\0")))


# -- Two locks -> what changed between them, for a person to read before it is written.


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One source of either lock. `before` and `after` name what it is pinned to; None where it is not in that lock."""

    name: str
    before: str | None
    after: str | None
    files: tuple[Change, ...] = ()
    transformed: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class LockDifference:
    """Everything that differs: sources in the order of the new lock, then those that are gone, and the outputs.

    `sources` holds only what changed; `outputs` the output files; `same` says that both locks have one text.
    """

    sources: tuple[SourceChange, ...]
    outputs: tuple[Change, ...]
    same: bool


def difference(before: Lock | None, after: Lock) -> LockDifference:
    """What `after` changes."""
    old = Lock() if before is None else before
    same = before is not None and lock_bytes(before) == lock_bytes(after)
    return LockDifference(_source_changes(old, after), outputs_tree(old).changes_to(outputs_tree(after)), same)


def inherited_difference(
    before: Lock | None, after: Lock | None, *, shared_before: Lock, shared_after: Lock
) -> LockDifference:
    """The same for what a user's layers add to a shared lock, with the outputs that come of it; None is nothing."""
    old, new = before or Lock(), after or Lock()
    outputs = _added(before, shared_before).changes_to(_added(after, shared_after))
    return LockDifference(_source_changes(old, new), outputs, lock_bytes(old) == lock_bytes(new))


def _added(part: Lock | None, shared: Lock) -> Tree:
    """The outputs that are other, or more, because `part` is laid over `shared`."""
    if part is None:
        return Tree()
    alone = outputs_tree(shared)
    return Tree(
        (path, entry) for path, entry in outputs_tree(overlay(shared, part)).items() if alone.get(path) != entry
    )


def _source_changes(old: Lock, after: Lock) -> tuple[SourceChange, ...]:
    names = dict.fromkeys([source.name for source in after.sources] + [source.name for source in old.sources])
    changes = (_source_change(name, old.source(name), after.source(name)) for name in names)
    return tuple(change for change in changes if change is not None)


def describe_pin(source: LockedSource) -> str:
    """What the source is pinned to, short: `v1.2.0 (3f8c9ab)`, `sha256:abcdef1`, `(5 files)` (spec §9.5)."""
    match source.pin:
        case GitPin(commit=commit):
            ref = source.declared.ref
            return commit[:12] if ref is None or commit.startswith(ref) else f"{ref} ({commit[:7]})"
        case UrlPin(sha256=sha256):
            return f"sha256:{sha256[:12]}"
        case OciPin(digest=digest):
            return f"sha256:{digest.hex[:12]}"
        case LocalPin(packed=packed):
            return count_of_files(len(packed.files))


def count_of_files(count: int) -> str:
    """`(1 file)`, `(5 files)`."""
    return f"({count} file{'' if count == 1 else 's'})"


def _source_change(name: str, before: LockedSource | None, after: LockedSource | None) -> SourceChange | None:
    if before == after:
        return None
    old = Tree() if before is None else before.tree
    new = Tree() if after is None else after.tree
    return SourceChange(
        name=name,
        before=None if before is None else describe_pin(before),
        after=None if after is None else describe_pin(after),
        files=old.changes_to(new),
        transformed=_derived_tree(before).changes_to(_derived_tree(after)),
    )


def _derived_tree(source: LockedSource | None) -> Tree:
    return source.transformed.packed.files if source and source.transformed and source.transformed.packed else Tree()
