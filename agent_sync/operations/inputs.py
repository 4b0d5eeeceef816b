"""Inputs: what every verb starts from, and the lock files it reads."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sync.checkout import APPLIED, INHERITED, Checkout
from agent_sync.config import Config
from agent_sync.errors import LimitExceeded, LockInvalid, LockMissing, UnsafePath
from agent_sync.lock import Lock
from agent_sync.lock.consistency import refuse_bad_digests
from agent_sync.lock.difference import overlay
from agent_sync.lock.reader import MAX_LOCK_BYTES, read_lock
from agent_sync.lock.writer import lock_bytes
from agent_sync.ports import Directory, World
from agent_sync.supply import Supplier
from agent_sync.tree import RelPath

# -- The lock's file: read whole, written atomically, and not touched when nothing changed.


@dataclass(frozen=True, slots=True)
class LockFile:
    """`name` in `directory`; `shown` is how messages call it."""

    directory: Directory
    name: RelPath
    shown: str

    def content(self) -> bytes | None:
        """The bytes of the lock; None if there is none."""
        if self.directory.stat(self.name) is None:
            return None
        with self.directory.open(self.name) as file:
            return file.read(MAX_LOCK_BYTES + 1)

    def read(self) -> Lock | None:
        """The lock; None if there is none. Raises LockInvalid, UnsafePath, LimitExceeded."""
        content = self.content()
        return None if content is None else read_lock(content, file=self.shown)

    def require(self, content: bytes | None) -> Lock:
        """The lock that its `content` spells. LockMissing if there is none."""
        if content is None:
            raise LockMissing(subject=self.shown, check="there is no lock", remedy="make one: agent-sync update")
        return read_lock(content, file=self.shown)

    def write(self, lock: Lock) -> bool:
        """The file says what `lock` says; whether it had to be written."""
        return self.replace(lock_bytes(lock))

    def replace(self, content: bytes) -> bool:
        """The file has these bytes; whether it had to be written."""
        if content == self.content():
            return False
        self.directory.replace(self.name, content)
        return True

    @property
    def path(self) -> str:
        """Where it lies on the machine."""
        return posixpath.join(self.directory.name, self.name)


# -- What every verb starts from.

_WITHOUT_APPLIED = "delete it: the next sync makes it again, and keeps whatever is not as locked as an edit"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The world, this checkout, its lock, and the configuration: all layers in `config`, the project's file alone in
    `shared`.

    Both are None where the configuration is not to be read (`--frozen`). `demands` holds even then: its limits and
    security are those of the configuration, or of the machine's policy alone. `supplied` are source directories by
    name.
    """

    world: World
    checkout: Checkout
    lock_file: LockFile
    config: Config | None = None
    shared: Config | None = None
    demands: Config = field(default_factory=Config)
    inherit: bool = True
    supplied: Mapping[str, str] = field(default_factory=dict)

    def configured(self) -> Config:
        """The configuration of a verb that cannot do without."""
        assert self.config is not None, "only --frozen has no configuration"
        return self.config

    @property
    def bundle_name(self) -> str | None:
        """What bundles of this configuration are called, if it says so."""
        return self.config.bundle.name if self.config is not None and self.config.bundle is not None else None

    def inherited_content(self) -> bytes | None:
        """The bytes of the inherited lock; None if there is none, or if only the project's file counts."""
        return self.checkout.inherited() if self.inherit else None

    def supplier(self) -> Supplier:
        """A supplier for one run."""
        return Supplier(self.world, self.config, self.demands, supplied=self.supplied)


@dataclass(frozen=True, slots=True)
class Locks:
    """The committed lock, what the user's own layers lay over it, and the lock last written to this checkout.

    `contents` are the bytes of the first two, as they were read.
    """

    contents: tuple[bytes, ...]
    shared: Lock
    inherited: Lock | None
    applied: Lock | None

    @property
    def effective(self) -> Lock:
        """What is in force here."""
        return overlay(self.shared, self.inherited)


def read_locks(inputs: Inputs) -> Locks:
    """The locks, checked, with every digest in them fit for use.

    Raises: LockMissing, LockInvalid, UnsafePath.
    """
    content = inputs.lock_file.content()
    shared = inputs.lock_file.require(content)
    refuse_bad_digests(shared, file=inputs.lock_file.shown)
    own = inputs.inherited_content()
    inherited = inherited_lock(own, shared)
    applied = inputs.checkout.applied.read()
    contents = tuple(each for each in (content, own) if each is not None)
    return Locks(contents, shared, inherited, shared if applied == content else _read_applied(applied))


def inherited_lock(content: bytes | None, shared: Lock) -> Lock | None:
    """What the user's layers added, as it lies in `.agent-sync/` (`Inputs.inherited_content`)."""
    if content is None:
        return None
    elsewhere = frozenset(source.name for source in shared.sources)
    return _read_own(content, INHERITED, remedy="make it again: agent-sync update --inherited", elsewhere=elsewhere)


def read_applied(inputs: Inputs) -> Lock | None:
    """The lock last written here; None if there is none. It can be lost without harm (architecture)."""
    return _read_applied(inputs.checkout.applied.read())


def _read_applied(content: bytes | None) -> Lock | None:
    return None if content is None else _read_own(content, APPLIED, remedy=_WITHOUT_APPLIED)


def _read_own(content: bytes, file: str, *, remedy: str, elsewhere: frozenset[str] = frozenset()) -> Lock:
    """A lock of `.agent-sync/`, every digest in it fit for use. It is in no version control: `remedy` says what helps
    there.
    """
    try:
        lock = read_lock(content, file=file, elsewhere=elsewhere)
        refuse_bad_digests(lock, file=file)
    except (LockInvalid, UnsafePath, LimitExceeded) as error:
        raise error.restated(remedy=remedy) from error
    return lock


# -- A path as somebody typed it -> the same from the project's directory, spelled as an output's path is.


def path_argument(text: str, project: Directory) -> str:
    """`.cursor/rules/a.md` for `./.cursor//rules/a.md` and for `/home/me/project/.cursor/rules/a.md`; `.` for all.

    What leads elsewhere is left as it is, for whoever takes the path to refuse.
    """
    plain = posixpath.normpath(text) if text else "."
    root = project.name.rstrip("/")
    if plain == root:
        return "."
    return plain.removeprefix(f"{root}/")
