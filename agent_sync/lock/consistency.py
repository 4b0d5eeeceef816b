"""Check whether a lock agrees with itself (spec §8.3), and whether its digests can be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from agent_sync.errors import LockInvalid
from agent_sync.lock.model import Lock, LockedSource
from agent_sync.sources.table import REMEDY
from agent_sync.tree import Tree, refuse_collisions
from agent_sync_oci.text import quoted

_HEX_LINES = re.compile(r"(?:[0-9a-f]{64}\n)*")


def check_consistency(lock: Lock, *, file: str = "agent-sync.lock", elsewhere: frozenset[str] = frozenset()) -> None:
    """Raise if a source is in there twice, a reference points to nothing, or two keys of a tree are one file.

    `elsewhere` has the names of sources that the lock may refer to without holding them: those of the lock that it
    overlays.

    Raises: LockInvalid, UnsafePath.
    """
    counted = Counter(source.name for source in lock.sources)
    for name, count in counted.items():
        if count > 1:
            check = f"recorded {count} times"
            raise LockInvalid(subject=f"{file}, source {quoted(name)}", check=check, remedy=REMEDY)
    for what, name in _references(lock):
        if name not in counted and name not in elsewhere:
            check = f"refers to the source {quoted(name)}, which the lock does not have"
            raise LockInvalid(subject=f"{file}, {what}", check=check, remedy=REMEDY)
    for source in lock.sources:
        subject = f"{file}, source {source.name}"
        refuse_collisions(source.tree, subject=subject)
        _check_removals(source, subject)
    if lock.rendered is not None:
        refuse_collisions(lock.rendered.packed.files, subject=f"{file}, rendered")


def check_digests(lock: Lock, *, file: str = "agent-sync.lock") -> None:
    """Raise LockInvalid, naming source and file, if a digest that is about to be used is none.

    A lock with shortened digests, like the spec's own example, can be read; it cannot be used.
    """
    for source in lock.sources:
        subject = f"{file}, source {source.name}"
        _check_files(source.tree, subject)
        if source.transformed and source.transformed.packed:
            _check_files(source.transformed.packed.files, f"{subject}, transformed")
        for check in source.pin.problems(source.declaration):
            raise LockInvalid(subject=subject, check=check, remedy=REMEDY)
    if lock.rendered is not None:
        _check_files(lock.rendered.packed.files, f"{file}, rendered")
    _check_files(Tree((orphan.path, orphan.entry) for orphan in lock.orphans), f"{file}, orphans")


def _references(lock: Lock) -> Iterator[tuple[str, str]]:
    for index, placement in enumerate(lock.outputs or ()):
        yield f"outputs[{index}]", placement.source
    if lock.rendered is not None:
        for path, owner in lock.rendered.owners.items():
            yield f"rendered file {quoted(path)}", owner


def _check_removals(source: LockedSource, subject: str) -> None:
    for path in source.transformed.removed if source.transformed else ():
        if path not in source.tree:
            check = f"its transforms remove {quoted(path)}, which it does not have"
            raise LockInvalid(subject=subject, check=check, remedy=REMEDY)


def _check_files(tree: Tree, subject: str) -> None:
    # All at once: one by one, the digests of 50,000 files take ten times as long.
    if _HEX_LINES.fullmatch("".join(f"{entry.sha256}\n" for entry in tree.values())) is not None:
        return
    for path, entry in tree.items():
        if re.fullmatch(r"[0-9a-f]{64}", entry.sha256) is None:
            check = f"sha256 is {quoted(entry.sha256)}, not 64 hexadecimal digits"
            raise LockInvalid(subject=f"{subject}, file {quoted(path)[1:-1]}", check=check, remedy=REMEDY)
