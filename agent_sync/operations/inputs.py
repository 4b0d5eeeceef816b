"""What every verb starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sync.checkout import APPLIED, INHERITED, Checkout
from agent_sync.config import Config
from agent_sync.errors import LimitExceeded, LockInvalid, UnsafePath
from agent_sync.lock import Lock
from agent_sync.lock.consistency import refuse_bad_digests
from agent_sync.lock.layering import laid_over
from agent_sync.lock.reading import read_lock
from agent_sync.operations.lock_file import LockFile
from agent_sync.ports import World
from agent_sync.supply import Supplier

_WITHOUT_APPLIED = "delete it: the next sync makes it again, and keeps whatever is not as locked as an edit"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The world, this checkout, its lock, and the configuration: all layers in `config`, the project's file alone in
    `shared`.

    Both are None where the configuration is not to be read (`--frozen`). `demands` holds even then: its limits and
    security are those of the configuration, or of the machine's policy alone. `handed` are source folders by name.
    """

    world: World
    checkout: Checkout
    lock_file: LockFile
    config: Config | None = None
    shared: Config | None = None
    demands: Config = field(default_factory=Config)
    inherit: bool = True
    handed: Mapping[str, str] = field(default_factory=dict)

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
        return Supplier(self.world, self.config, self.demands, handed=self.handed)


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
        return laid_over(self.shared, self.inherited)


def read_locks(inputs: Inputs) -> Locks:
    """The locks, checked, with every digest in them fit for use.

    Raises: LockMissing, LockInvalid, UnsafePath.
    """
    content = inputs.lock_file.content()
    shared = inputs.lock_file.require(content)
    refuse_bad_digests(shared, file=inputs.lock_file.shown)
    own = inputs.inherited_content()
    inherited = inherited_lock(own, shared)
    applied = inputs.checkout.applied()
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
    return _read_applied(inputs.checkout.applied())


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
