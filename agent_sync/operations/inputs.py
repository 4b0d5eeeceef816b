"""What every verb starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sync.checkout import Checkout
from agent_sync.config import Config
from agent_sync.lock import Lock
from agent_sync.lock.consistency import refuse_bad_digests
from agent_sync.lock.layering import laid_over
from agent_sync.lock.reading import read_lock
from agent_sync.operations.lock_file import LockFile
from agent_sync.ports import World
from agent_sync.supply import Supplier


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

    def supplier(self) -> Supplier:
        """A supplier for one run."""
        return Supplier(self.world, self.config, self.demands, handed=self.handed)


@dataclass(frozen=True, slots=True)
class Locks:
    """The committed lock, what the user's own layers lay over it, and the lock last written to this checkout."""

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
    inherited = read_inherited(inputs, shared)
    if inherited is not None:
        refuse_bad_digests(inherited, file=".agent-sync/inherited.lock")
    applied = inputs.checkout.applied()
    return Locks(shared, inherited, shared if applied == content else _read_applied(applied))


def read_inherited(inputs: Inputs, shared: Lock) -> Lock | None:
    """What the user's layers added; None if nothing, or if only the project's file counts."""
    content = inputs.checkout.inherited() if inputs.inherit else None
    if content is None:
        return None
    elsewhere = frozenset(source.name for source in shared.sources)
    return read_lock(content, file=".agent-sync/inherited.lock", elsewhere=elsewhere)


def read_applied(inputs: Inputs) -> Lock | None:
    """The lock last written here; None if there is none. It can be lost without harm (architecture)."""
    return _read_applied(inputs.checkout.applied())


def _read_applied(content: bytes | None) -> Lock | None:
    return None if content is None else read_lock(content, file=".agent-sync/applied.lock")
