"""Read and write the lock file: bytes to a checked `Lock`, a `Lock` to its one canonical text.

The order of trust: syntax (strict YAML), version, shape and values table by table, then consistency (spec §8.3). Errors
of all but the last have line and column, those of the last name their subject.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agent_sync.documents import Document, emit, gc_paused, read_document
from agent_sync.errors import LockInvalid, LockMissing
from agent_sync.lock.model import VERSION, Lock, LockedSource
from agent_sync.ports import Directory
from agent_sync.sources.table import REMEDY, Table
from agent_sync.tree import RelPath, Tree, refuse_collisions
from agent_sync_oci.text import quoted

MAX_LOCK_BYTES = 256 * 1024 * 1024
_HEX_LINES = re.compile(r"(?:[0-9a-f]{64}\n)*")


class LockFile(NamedTuple):
    """A lock file: `name` in `directory`, `label` in messages. It is written atomically, and only if it changes."""

    directory: Directory
    name: RelPath
    label: str

    def content(self) -> bytes | None:
        """Return the bytes of the lock file; None if there is none."""
        if self.directory.stat(self.name) is None:
            return None
        with self.directory.open(self.name) as file:
            return file.read(MAX_LOCK_BYTES + 1)

    def read(self) -> Lock | None:
        """Return the lock; None if there is none. Raises LockInvalid, UnsafePath, LimitExceeded."""
        return self.parse(self.content())

    def parse(self, content: bytes | None) -> Lock | None:
        """Return the lock that `content` spells. Raises LockInvalid, UnsafePath, LimitExceeded."""
        return None if content is None else read_lock(content, file=self.label)

    def require(self, content: bytes | None) -> Lock:
        """Return the lock that `content` spells; raise LockMissing if there is none."""
        if content is None:
            raise LockMissing(subject=self.label, check="not found", remedy="create it: agent-sync update")
        return read_lock(content, file=self.label)

    def write(self, lock: Lock) -> bool:
        """Write the lock, and return whether the file changed."""
        return self.replace(lock_bytes(lock))

    def replace(self, content: bytes) -> bool:
        """Write these bytes, and return whether the file changed."""
        if content == self.content():
            return False
        self.directory.replace(self.name, content)
        return True

    @property
    def path(self) -> str:
        """The absolute path."""
        return posixpath.join(self.directory.name, self.name)


def read_lock(content: bytes, *, file: str = "agent-sync.lock", elsewhere: frozenset[str] = frozenset()) -> Lock:
    """Return the lock in `content`.

    `file` is its name in messages, `elsewhere` the sources of the lock that it overlays.

    Raises:
        LockInvalid: syntax, shape, version, a value, a duplicate or a reference to nothing.
        UnsafePath: a path that would leave the project or has a name that is not allowed.
        LimitExceeded: more than 256 MiB.
    """
    with gc_paused():
        document = read_document(content, file=file, error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
        _require_version(document)
        lock = Lock.read(Table(document.data, document))
        check_consistency(lock, file=file, elsewhere=elsewhere)
        return lock


def lock_bytes(lock: Lock) -> bytes:
    """Return the text of the lock: a function of its values alone, so that equal locks are equal files."""
    return emit(lock.write()).encode()


def migrate_lock(content: bytes, *, file: str) -> bytes:
    """Return the lock in the current version's canonical text (spec §14.3).

    Version 1 is the first: only the spelling can change.

    Raises: LockInvalid for a version that no step leads from.
    """
    return lock_bytes(read_lock(content, file=file))


def _require_version(document: Document) -> None:
    version = document.data.get("version")
    if version is None:
        raise LockInvalid(subject=document.file, check="`version` is missing", remedy=REMEDY, place=document.place(()))
    if type(version) is not int:
        check = f"`version` is {quoted(str(version))}, not an integer"
    elif version != VERSION:
        check = f"version {version} is not known; this agent-sync reads version {VERSION}"
    else:
        return
    remedy = "restore the lock file from version control, or upgrade agent-sync to the version that wrote it"
    raise LockInvalid(subject=document.file, check=check, remedy=remedy, place=document.place(("version",)))


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
    refuse_collisions(lock.overridden, subject=f"{file}, rendered")


def check_digests(lock: Lock, *, file: str = "agent-sync.lock") -> None:
    """Raise LockInvalid, naming source and file, if a digest that is about to be used is none.

    A lock with shortened digests, like the spec's own example, can be read; it cannot be used.
    """
    for source in lock.sources:
        subject = f"{file}, source {source.name}"
        _check_files(source.tree, subject)
        _check_files(source.derived, f"{subject}, transformed")
        for check in source.pin.problems(source.declaration):
            raise LockInvalid(subject=subject, check=check, remedy=REMEDY)
    _check_files(lock.overridden, f"{file}, rendered")
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
            check = f"removes {quoted(path)}, which the source does not have"
            raise LockInvalid(subject=f"{subject}, transforms", check=check, remedy=REMEDY)


def _check_files(tree: Tree, subject: str) -> None:
    # All at once: one by one, the digests of 50,000 files take ten times as long.
    if _HEX_LINES.fullmatch("".join(f"{entry.sha256}\n" for entry in tree.values())) is not None:
        return
    for path, entry in tree.items():
        if re.fullmatch(r"[0-9a-f]{64}", entry.sha256) is None:
            check = f"sha256 is {quoted(entry.sha256)}, not 64 hexadecimal digits"
            raise LockInvalid(subject=f"{subject}, file {quoted(path)[1:-1]}", check=check, remedy=REMEDY)
