"""Project: the library's face. It loads what a verb needs, runs the verb, and hands back its result."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from agent_sync.checkout import Checkout
from agent_sync.config import Config, ConfigPaths
from agent_sync.errors import ConfigInvalid
from agent_sync.operations.inputs import Inputs, LockFile
from agent_sync.ports import Cancellation, World
from agent_sync.tree import RelPath

if TYPE_CHECKING:
    from agent_sync.bundle.inspect import BundleDescription
    from agent_sync.bundle.pack import Compression
    from agent_sync.bundle.sign import Signing
    from agent_sync.config.load import LoadedConfig
    from agent_sync.operations.bundle import BundleVerdict, CopyResult, RequiredSigner, SignResult
    from agent_sync.operations.check import CheckResult
    from agent_sync.operations.diff import DiffResult
    from agent_sync.operations.info import InfoResult
    from agent_sync.operations.init import InitResult
    from agent_sync.operations.migrate import MigrateResult
    from agent_sync.operations.nix import NixExportResult, NixHashResult, NixImportResult
    from agent_sync.operations.prune import PruneResult
    from agent_sync.operations.pull import PullResult
    from agent_sync.operations.push import PushResult
    from agent_sync.operations.recover import RecoverResult
    from agent_sync.operations.restore import RestoreResult
    from agent_sync.operations.status import StatusResult
    from agent_sync.operations.sync import SyncResult
    from agent_sync.operations.update import UpdateResult
    from agent_sync.operations.verify import VerifyResult
    from agent_sync_oci.reference import Reference


@dataclass(frozen=True)
class Project:
    """One project on one machine. Each method is one verb of the command line, and raises `AgentSyncError`s only.

    Made by `agent_sync.open_project`, or directly from a `World` of one's own: then nothing of the machine is touched
    but through it.
    """

    world: World
    places: ConfigPaths
    supplied: Mapping[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Nothing of the store is held any more, so that others may reclaim its space; the project can still be used.

        A program that keeps projects open calls it between verbs; `with open_project(...) as project:` does it too.
        """
        self.world.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def within(self, *, timeout_s: float | None = None, cancellation: Cancellation | None = None) -> Project:
        """This project, its verbs bound to a time limit or to a token that another thread can cancel."""
        token = cancellation or Cancellation(clock=self.world.clock, timeout_s=timeout_s)
        return replace(self, world=replace(self.world, cancellation=token))

    def update(
        self,
        names: Sequence[str] = (),
        *,
        inherited: bool = False,
        dry_run: bool = False,
        confirm: Callable[[UpdateResult], bool] | None = None,
    ) -> UpdateResult:
        """Resolve sources upstream and write the lock; see `operations.update`."""
        from agent_sync.operations.update import update

        return update(self._inputs(), names, inherited=inherited, dry_run=dry_run, confirm=confirm)

    def sync(
        self, *, dry_run: bool = False, locked: bool = False, frozen: bool = False, prune: bool = False
    ) -> SyncResult:
        """Make the project's files what the lock says; see `operations.sync`."""
        from agent_sync.operations.sync import sync

        return sync(self._inputs(frozen=frozen), dry_run=dry_run, locked=locked, prune=prune)

    def check(
        self, *, strict: bool = False, fast: bool = False, deep: bool = False, frozen: bool = False
    ) -> CheckResult:
        """Compare the project's files with the lock; see `operations.check`."""
        from agent_sync.operations.check import check

        inputs = self._inputs(frozen=True) if frozen else self._inputs_or_lock()
        return check(inputs, strict=strict, fast=fast, deep=deep)

    def push(
        self,
        place: Reference | str,
        *,
        name: str | None = None,
        signing: Signing | None = None,
        compression: Compression | None = None,
        plain_http: bool = False,
    ) -> PushResult:
        """The lock and all that it needs into a place; see `operations.push`."""
        from agent_sync.operations.push import PushRequest, push

        request = PushRequest(self._place(place), name, compression, signing, plain_http)
        return push(self._inputs_or_lock(), request)

    def pull(
        self,
        place: Reference | str,
        *,
        name: str | None = None,
        write_lock: bool = False,
        allow_unsigned: bool = False,
        accept_signer_change: bool = False,
        plain_http: bool = False,
        confirm: Callable[[PullResult], bool] | None = None,
    ) -> PullResult:
        """A bundle from a place into the store; see `operations.pull`."""
        from agent_sync.operations.pull import PullRequest, pull

        request = PullRequest(self._place(place), name, write_lock, allow_unsigned, accept_signer_change, plain_http)
        return pull(self._inputs_if_declared(), request, confirm=confirm)

    def bundle_inspect(self, place: Reference | str, *, plain_http: bool = False) -> BundleDescription:
        """What lies in a place; see `operations.bundle_inspect`."""
        from agent_sync.operations.bundle import bundle_inspect

        return bundle_inspect(self._inputs_if_declared(), self._place(place), plain_http=plain_http)

    def bundle_verify(
        self,
        place: Reference | str,
        *,
        name: str | None = None,
        asked: RequiredSigner | None = None,
        plain_http: bool = False,
    ) -> BundleVerdict:
        """Who vouches for a bundle; see `operations.bundle_verify`."""
        from agent_sync.operations.bundle import bundle_verify

        inputs = self._inputs_if_declared()
        return bundle_verify(inputs, self._place(place), name=name, asked=asked, plain_http=plain_http)

    def bundle_sign(
        self, place: Reference | str, signing: Signing, *, name: str | None = None, plain_http: bool = False
    ) -> SignResult:
        """One more signature beside a bundle; see `operations.bundle_sign`."""
        from agent_sync.operations.bundle import bundle_sign

        return bundle_sign(self._inputs_if_declared(), self._place(place), signing, name=name, plain_http=plain_http)

    def bundle_copy(
        self,
        source: Reference | str,
        target: Reference | str,
        *,
        since: bytes | Reference | None = None,
        plain_http: bool = False,
    ) -> CopyResult:
        """A bundle from one place to another; see `operations.bundle_copy`."""
        from agent_sync.operations.bundle import CopyRequest, bundle_copy

        request = CopyRequest(self._place(source), self._place(target), since, plain_http)
        return bundle_copy(self._inputs_if_declared(), request)

    def verify(self, names: Sequence[str] = ()) -> VerifyResult:
        """Compare the lock with upstream; see `operations.verify`."""
        from agent_sync.operations.verify import verify

        return verify(self._inputs(), names)

    def status(self, names: Sequence[str] = ()) -> StatusResult:
        """The state of each source; see `operations.status`."""
        from agent_sync.operations.status import status

        return status(self._inputs_or_lock(), names)

    def diff(self, paths: Sequence[str] = ()) -> DiffResult:
        """The lock against the files; see `operations.diff`."""
        from agent_sync.operations.diff import diff

        return diff(self._inputs_or_lock(), paths)

    def prune(self, *, dry_run: bool = False) -> PruneResult:
        """Remove what is declared no more; see `operations.prune`."""
        from agent_sync.operations.prune import prune

        return prune(self._inputs_or_lock(), dry_run=dry_run)

    def restore(self, path: str) -> RestoreResult:
        """Bring back a local edit that a sync replaced; see `operations.restore`."""
        from agent_sync.operations.restore import restore

        return restore(self._bare_inputs(), path)

    def recover(self) -> RecoverResult:
        """Undo an interrupted sync; see `operations.recover`."""
        from agent_sync.operations.recover import recover

        return recover(self._bare_inputs())

    def migrate(self, *, dry_run: bool = False) -> MigrateResult:
        """Bring configuration and lock to the current version; see `operations.migrate`."""
        from agent_sync.operations.migrate import migrate

        return migrate(self._bare_inputs(), dry_run=dry_run)

    def info(self) -> InfoResult:
        """Versions, places, tools; see `operations.info`."""
        from agent_sync.operations.info import info

        return info(self.places, self.world)

    def init(self) -> InitResult:
        """A first configuration; see `operations.init`."""
        from agent_sync.operations.init import init

        return init(self.world.project, RelPath(posixpath.basename(self.places.project.path)))

    def nix_hash(self, path: str) -> NixHashResult:
        """What Nix calls whatever lies at the absolute path; see `operations.nix_hash`."""
        from agent_sync.operations.nix import nix_hash

        return nix_hash(self.world, path)

    def nix_import(self) -> NixImportResult:
        """All that the lock pins, into the Nix store of this machine; see `operations.nix_import`."""
        from agent_sync.operations.nix import nix_import

        return nix_import(self._inputs())

    def nix_export(self, directory: str, *, secret_key: bytes | None = None) -> NixExportResult:
        """All that the lock pins, as a Nix binary cache in the directory at the absolute path; see
        `operations.nix_export`.
        """
        from agent_sync.operations.nix import nix_export

        return nix_export(self._inputs(), directory, secret_key=secret_key)

    def _loaded(self) -> LoadedConfig:
        """The configuration as it is now, its warnings announced. Raises ConfigInvalid and its kin."""
        from agent_sync.config.load import is_declared, load

        try:
            loaded = load(self.places, self.world.read_file, self.world.project)
        except ConfigInvalid as error:
            if is_declared(self.places, self.world.read_file) or self.lock_file.content() is None:
                raise
            remedy = "to go by the lock alone: agent-sync sync --frozen; to declare sources: agent-sync init"
            raise error.restated(remedy=remedy) from error
        for warning in loaded.warnings:
            self.world.observer(warning)
        return loaded

    def _inputs_if_declared(self) -> Inputs:
        """The same for verbs that can do without a configuration: where bundles arrive, there need not be one."""
        from agent_sync.config.load import is_declared

        return self._inputs(frozen=not is_declared(self.places, self.world.read_file))

    def _inputs_or_lock(self) -> Inputs:
        """The same for verbs that can do without a configuration if there is a lock, as there is where one arrived."""
        return self._inputs() if self.lock_file.content() is None else self._inputs_if_declared()

    def _inputs(self, *, frozen: bool = False) -> Inputs:
        """What a verb starts from; with `frozen` the configuration is not read, and only the machine's policy
        counts.
        """
        if frozen:
            return replace(self._bare_inputs(), demands=self._policy())
        loaded = self._loaded()
        return replace(self._bare_inputs(), config=loaded.merged, shared=loaded.project, demands=loaded.merged)

    def _bare_inputs(self) -> Inputs:
        return Inputs(
            world=self.world,
            checkout=Checkout(self.world.project),
            lock_file=self.lock_file,
            inherit=self.places.inherit,
            supplied=self.supplied,
        )

    def _place(self, place: Reference | str) -> Reference:
        """The place that the text spells; directories and files are meant from the project's root. Raises
        UsageError.
        """
        from agent_sync.bundle.names import resolve_relative
        from agent_sync_oci.reference import parse_reference

        if not isinstance(place, str):
            return place
        return resolve_relative(self.world.project.name, parse_reference(place))

    @property
    def lock_file(self) -> LockFile:
        """The lock's file, wherever `--lockfile` put it."""
        directory, name = posixpath.split(self.places.lock)
        return LockFile(self.world.at(directory), RelPath(name), name)

    def _policy(self) -> Config:
        from agent_sync.config.load import load_policies

        return load_policies(self.places, self.world.read_file)
