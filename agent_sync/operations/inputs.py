"""Run and Inputs: one run of one verb, what it starts from, and what it has read since."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from agent_sync.checkout import APPLIED, INHERITED, Checkout
from agent_sync.config import Config
from agent_sync.errors import (
    AgentSyncError,
    ConfigInvalid,
    ContentRefused,
    LimitExceeded,
    LockInvalid,
    MovedMeanwhile,
    PartialFailure,
    UnsafePath,
    Untrusted,
)
from agent_sync.events import AuditEvent, AuditRecord, Refused
from agent_sync.lock import Lock
from agent_sync.lock.file import LockFile, check_digests, read_lock
from agent_sync.lock.model import overlay
from agent_sync.ports import Directory, World
from agent_sync.supply import Supplier
from agent_sync.tree import RelPath
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.bundle.trust import TrustFiles
    from agent_sync.config import ConfigPaths
    from agent_sync.config.load import LoadedConfig

_WITHOUT_APPLIED = "delete it: the next sync makes it again, and keeps whatever is not as locked as an edit"

ReadFile = Callable[[str], bytes | None]


class ReadSet:
    """The read set of a plan: every file that it was made from, with its content (optimistic concurrency control).

    A plan is made without the project's lock, so that nobody waits while sources are fetched or a person reads. Whoever
    executes it validates the read set first, holding the project.
    """

    def __init__(self) -> None:
        self._reads: dict[str, tuple[Callable[[], bytes | None], bytes | None]] = {}

    def read(self, name: str, read: Callable[[], bytes | None]) -> bytes | None:
        """Return what `read` returns, and record it under `name`; a name is read once."""
        # Once: a plan must not see two contents of one file.
        if name not in self._reads:
            self._reads[name] = read, read()
        return self._reads[name][1]

    def recording(self, read_file: ReadFile) -> ReadFile:
        """Return a function that reads files at absolute paths as `read_file` does, and records each."""
        return lambda path: self.read(path, lambda: read_file(path))

    def validate(self) -> None:
        """Raise MovedMeanwhile if a file has another content than it had when it was read."""
        for name, (read, content) in self._reads.items():
            if read() != content:
                raise moved(name)


def moved(what: str) -> MovedMeanwhile:
    """Return the error that `what` changed between planning and executing."""
    return MovedMeanwhile(
        subject=what, check="changed while this command was running; nothing was written", remedy="rerun the command"
    )


@record
class Inputs:
    """The world, this checkout, its lock file, and the configuration: all layers in `config`, the project's own file in
    `shared`.

    Both are None where the configuration is not read (`--frozen`). `demands` holds even then: its limits and its policy
    are those of the configuration, or of the machine's policy alone. `supplied` are source directories by name.
    """

    world: World
    checkout: Checkout
    lock_file: LockFile
    run: Run
    reads: ReadSet
    config: Config | None = None
    shared: Config | None = None
    demands: Config = field(default_factory=Config)
    inherit: bool = True
    supplied: Mapping[str, str] = field(default_factory=dict)

    def configured(self) -> Config:
        """Return the configuration, for a verb that always reads it."""
        assert self.config is not None, "only --frozen has no configuration"
        return self.config

    @property
    def bundle_name(self) -> str | None:
        """The name that the configuration gives to bundles, if it gives one."""
        return self.config.bundle.name if self.config is not None and self.config.bundle is not None else None

    def lock_content(self) -> bytes | None:
        """Return the bytes of the lock file, as the plan reads them; None if there is none."""
        return self.reads.read(self.lock_file.label, self.lock_file.content)

    def inherited_content(self) -> bytes | None:
        """Return the bytes of the inherited lock; None if there is none, or if only the project's file counts."""
        return self.reads.read(INHERITED, self.checkout.inherited) if self.inherit else None

    def applied_content(self) -> bytes | None:
        """Return the bytes of the lock that was last written to the outputs; None if none was."""
        return self.reads.read(APPLIED, self.checkout.applied.read)

    def trust_files(self) -> TrustFiles:
        """Return the files that `trust:` names; those that are read belong to the read set."""
        from agent_sync.bundle.trust import TrustFiles

        return TrustFiles(self.world.project, self.world.read_file, recording=self.reads.read)

    def supplier(self) -> Supplier:
        """Return a supplier for one run."""
        return Supplier(self.world, self.config, self.demands, supplied=self.supplied)


class Locks(NamedTuple):
    """The committed lock, what the user's own layers add to it, and the lock last written to this checkout.

    `contents` are the bytes of the first two, as they were read.
    """

    contents: tuple[bytes, ...]
    shared: Lock
    inherited: Lock | None
    applied: Lock | None

    @property
    def effective(self) -> Lock:
        """The lock that is in force here: the committed one with the inherited one laid over it."""
        return overlay(self.shared, self.inherited)


def read_locks(inputs: Inputs, *, empty: bool = False) -> Locks:
    """Return the locks, checked, with every digest in them fit for use; with `empty` a missing lock is an empty one.

    Raises: LockMissing, LockInvalid, UnsafePath.
    """
    content = inputs.lock_content()
    shared = Lock() if empty and content is None else inputs.lock_file.require(content)
    check_digests(shared, file=inputs.lock_file.label)
    own = inputs.inherited_content()
    inherited = inherited_lock(own, shared)
    applied = inputs.applied_content()
    contents = tuple(each for each in (content, own) if each is not None)
    # As a rule the applied lock is the committed one, byte for byte: it need not be parsed twice.
    same = applied is not None and applied == content
    return Locks(contents, shared, inherited, shared if same else _applied_lock(applied))


def inherited_lock(content: bytes | None, shared: Lock) -> Lock | None:
    """Return the lock that `.agent-sync/inherited.lock` spells: what the user's layers add to the `shared` one."""
    if content is None:
        return None
    # Its outputs may be those of sources that only the shared lock has.
    elsewhere = frozenset(source.name for source in shared.sources)
    return _own_lock(content, INHERITED, remedy="make it again: agent-sync update --inherited", elsewhere=elsewhere)


def applied_lock(inputs: Inputs) -> Lock | None:
    """Return the lock last written here; None if there is none. It can be lost without harm (architecture)."""
    return _applied_lock(inputs.applied_content())


def _applied_lock(content: bytes | None) -> Lock | None:
    return None if content is None else _own_lock(content, APPLIED, remedy=_WITHOUT_APPLIED)


def _own_lock(content: bytes, file: str, *, remedy: str, elsewhere: frozenset[str] = frozenset()) -> Lock:
    """Return a lock of `.agent-sync/`, every digest in it fit for use.

    No version control has it, so that `remedy` says what helps instead of restoring it.
    """
    try:
        lock = read_lock(content, file=file, elsewhere=elsewhere)
        check_digests(lock, file=file)
    except (LockInvalid, UnsafePath, LimitExceeded) as error:
        raise error.restated(remedy=remedy) from error
    return lock


@record
class Run:
    """One run of the verb `operation` in one project. Each `Inputs` that it returns is loaded anew.

    A verb that writes loads its inputs once for each attempt, so that it plans from what the project is then. The run
    is a context manager: a refusal that leaves the `with` block is announced to the audit stream.
    """

    operation: str
    world: World
    places: ConfigPaths
    supplied: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, AgentSyncError):
            self.audit_refusal(error)

    def audit(self, event: AuditEvent) -> None:
        """Announce a decision of this run."""
        if self.world.audit is not None:
            self.world.audit(AuditRecord(self.id, self.world.actor, self.operation, event))

    def audit_refusal(self, error: AgentSyncError) -> None:
        """Announce the error if a policy or a gate raised it; of several failures, each."""
        if isinstance(error, PartialFailure):
            for each in error.failures.values():
                self.audit_refusal(each)
        elif isinstance(error, (Untrusted, ContentRefused)):
            self.audit(Refused(error.subject, error.rule, error.check))

    def inputs(self, *, frozen: bool = False) -> Inputs:
        """Return the inputs with the configuration; with `frozen` it is not read, and only the machine's policy counts.

        Raises: ConfigInvalid and its subclasses, FileSystemError.
        """
        return self._load_inputs(self.bare_inputs(), frozen=frozen)

    def inputs_if_declared(self) -> Inputs:
        """Return the inputs, without a configuration where there is none: a bundle may arrive at an empty directory."""
        from agent_sync.config.load import is_declared

        bare = self.bare_inputs()
        # Through the read set: a configuration that appears meanwhile may demand what the plan did not ask for.
        declared = is_declared(self.places, bare.reads.recording(self.world.read_file))
        return self._load_inputs(bare, frozen=not declared)

    def inputs_or_lock(self) -> Inputs:
        """Return the inputs, without a configuration where there is a lock but no configuration."""
        return self.inputs() if self._lock_file.content() is None else self.inputs_if_declared()

    def bare_inputs(self) -> Inputs:
        """Return inputs without the configuration, for verbs that have no use for it."""
        return Inputs(
            world=self.world,
            checkout=Checkout(self.world.project),
            lock_file=self._lock_file,
            run=self,
            reads=ReadSet(),
            inherit=self.places.inherit,
            supplied=self.supplied,
        )

    @property
    def _lock_file(self) -> LockFile:
        return lock_file(self.places, self.world)

    def _load_inputs(self, bare: Inputs, *, frozen: bool) -> Inputs:
        read_file = bare.reads.recording(self.world.read_file)
        if frozen:  # a machine's policy holds all the same: it is nothing that a project could leave out
            from agent_sync.config.load import load_policies

            return replace(bare, demands=load_policies(self.places, read_file))
        loaded = self._load(read_file)
        config = loaded.merged
        world = replace(self.world, observer=config.locating_warnings(self.world.observer))
        return replace(bare, world=world, config=config, shared=loaded.project, demands=config)

    def _load(self, read_file: ReadFile) -> LoadedConfig:
        """Return the configuration as it is now; its warnings are announced."""
        from agent_sync.config.load import is_declared, load, renaming

        try:
            loaded = load(self.places, read_file, self.world.project)
        except ConfigInvalid as error:
            # With a lock and no configuration at all, the lock alone may be what is wanted.
            if is_declared(self.places, read_file) or renaming(self.places.project, read_file):
                raise
            if self._lock_file.content() is None:
                raise
            remedy = "to declare sources: agent-sync init; to sync from the lock alone: agent-sync sync --frozen"
            raise error.restated(remedy=remedy) from error
        for warning in loaded.warnings:
            self.world.observer(warning)
        return loaded


def lock_file(places: ConfigPaths, world: World) -> LockFile:
    """Return the lock file, wherever `--lockfile` put it."""
    directory, name = posixpath.split(places.lock)
    return LockFile(world.at(directory), RelPath(name), name)


def path_argument(text: str, project: Directory) -> str:
    """Return a path as it was typed, spelled as an output's path is: relative to the project's root.

    `.cursor/rules/a.md` for `./.cursor//rules/a.md` and for `/home/me/project/.cursor/rules/a.md`; `.` for all. A path
    that leads elsewhere is returned as it is, for whoever takes it to refuse.
    """
    plain = posixpath.normpath(text) if text else "."
    root = project.name.rstrip("/")
    if plain == root:
        return "."
    return plain.removeprefix(f"{root}/")
