"""Whether a lock agrees with itself (spec §8.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from agent_sync.errors import LockInvalid
from agent_sync.lock.model import GitPin, Lock, LockedSource, UrlPin
from agent_sync.tree import RelPath, Sha256, Tree, refuse_collisions
from agent_sync_oci.text import quoted

REMEDY = "restore the lock from version control, or remove it and make it again: agent-sync update"
"""What to do about a lock that cannot be right, whoever finds it out."""

_HEX_LINES = re.compile(r"(?:[0-9a-f]{64}\n)*")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")


def refuse_inconsistent(lock: Lock, *, file: str = "agent-sync.lock", elsewhere: frozenset[str] = frozenset()) -> None:
    """Nothing, if no source stands twice, no reference points to nothing and no two keys of a tree are one file.

    `elsewhere` has the names of sources that the lock may refer to without holding them: those of the lock it lies
    over.

    Raises: LockInvalid, UnsafePath.
    """
    counted = Counter(source.name for source in lock.sources)
    for name, count in counted.items():
        if count > 1:
            raise LockInvalid(subject=f"{file}, source {quoted(name)}", check=f"it stands {count} times", remedy=REMEDY)
    for what, name in _references(lock):
        if name not in counted and name not in elsewhere:
            check = f"it refers to the source {quoted(name)}, which the lock does not have"
            raise LockInvalid(subject=f"{file}, {what}", check=check, remedy=REMEDY)
    for source in lock.sources:
        subject = f"{file}, source {source.name}"
        refuse_collisions(source.tree, subject=subject)
        _refuse_stray_removals(source, subject)
    if lock.rendered is not None:
        refuse_collisions(lock.rendered.packed.files, subject=f"{file}, rendered")


def _references(lock: Lock) -> Iterator[tuple[str, str]]:
    for index, placement in enumerate(lock.outputs or ()):
        yield f"outputs[{index}]", placement.source
    if lock.rendered is not None:
        for path, owner in lock.rendered.owners.items():
            yield f"rendered file {quoted(path)}", owner


def _refuse_stray_removals(source: LockedSource, subject: str) -> None:
    for path in source.transformed.removed if source.transformed else ():
        if path not in source.tree:
            check = f"its transforms remove {quoted(path)}, which it does not have"
            raise LockInvalid(subject=subject, check=check, remedy=REMEDY)


def refuse_bad_digests(lock: Lock, *, file: str = "agent-sync.lock") -> None:
    """Nothing, if every digest that is about to be used is one.

    Raises: LockInvalid, naming source and file. A lock with shortened digests, like the spec's own example, loads; it
        cannot be used.
    """
    for source in lock.sources:
        subject = f"{file}, source {source.name}"
        _refuse_bad_files(source.tree, subject)
        if source.transformed and source.transformed.packed:
            _refuse_bad_files(source.transformed.packed.files, f"{subject}, transformed")
        if isinstance(source.pin, GitPin):
            for what, oid in (("commit", source.pin.commit), ("tree", source.pin.tree)):
                if _OBJECT_ID.fullmatch(oid) is None:
                    raise _bad(subject, what, oid, "40")
        elif isinstance(source.pin, UrlPin) and source.declared.checksum not in (None, f"sha256:{source.pin.sha256}"):
            check = f"sha256 is {source.pin.sha256}, its checksum is {quoted(str(source.declared.checksum))}"
            raise LockInvalid(subject=subject, check=check, remedy=REMEDY)
    if lock.rendered is not None:
        _refuse_bad_files(lock.rendered.packed.files, f"{file}, rendered")
    _refuse_bad_files(Tree((orphan.path, orphan.entry) for orphan in lock.orphans), f"{file}, orphans")


def _refuse_bad_files(tree: Tree, subject: str) -> None:
    digests = [entry.sha256 for entry in tree.values()]
    if _HEX_LINES.fullmatch("".join(f"{digest}\n" for digest in digests)) is not None:
        return
    for path, entry in tree.items():
        if re.fullmatch(r"[0-9a-f]{64}", entry.sha256) is None:
            raise _bad(f"{subject}, file {_plain(path)}", "sha256", entry.sha256, "64")


def _plain(path: RelPath) -> str:
    return quoted(path)[1:-1]


def _bad(subject: str, what: str, text: str | Sha256, digits: str) -> LockInvalid:
    check = f"{what} is {quoted(text)}, not {digits} hexadecimal digits"
    return LockInvalid(subject=subject, check=check, remedy=REMEDY)
