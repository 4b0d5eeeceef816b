"""Project: the library's face. Each method loads what its verb needs, runs it, and returns its result."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Self

from agent_sync.config import ConfigPaths
from agent_sync.lock.file import LockFile
from agent_sync.operations.inputs import Run, lock_file
from agent_sync.ports import Cancellation, World
from agent_sync.tree import RelPath
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.bundle.inspect import BundleDescription
    from agent_sync.bundle.pack import Compression
    from agent_sync.bundle.sign import Signing
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


@record
class Project:
    """One project on one machine. Each method is one verb of the command line, and raises `AgentSyncError`s only.

    Made by `agent_sync.open_project`, or directly from a `World` of one's own: then nothing of the machine is touched
    but through it.
    """

    world: World
    places: ConfigPaths
    supplied: Mapping[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Release the cache, so that others may reclaim its space; the project can still be used.

        A program that keeps projects open calls it between verbs; `with open_project(...) as project:` does it too.
        """
        self.world.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def within(self, *, timeout_s: float | None = None, cancellation: Cancellation | None = None) -> Project:
        """Return this project with its verbs bound to a time limit, or to a token that another thread can cancel."""
        token = cancellation or Cancellation(clock=self.world.clock, timeout_s=timeout_s)
        return replace(self, world=replace(self.world, cancellation=token))

    def run(self, operation: str) -> Run:
        """Return one run of a verb, a context manager that loads what the verb starts from and announces refusals."""
        return Run(operation, self.world, self.places, self.supplied, self.world.new_run())

    def update(
        self,
        names: Sequence[str] = (),
        *,
        inherited: bool = False,
        dry_run: bool = False,
        confirm: Callable[[UpdateResult], bool] | None = None,
    ) -> UpdateResult:
        """Fetch the newest versions and update the lock; see `operations.update`."""
        from agent_sync.operations.update import update

        with self.run("update") as run:
            return update(run, names, inherited=inherited, dry_run=dry_run, confirm=confirm)

    def sync(
        self, *, dry_run: bool = False, locked: bool = False, frozen: bool = False, prune: bool = False
    ) -> SyncResult:
        """Write the files recorded in the lock; see `operations.sync`."""
        from agent_sync.operations.sync import sync

        with self.run("sync") as run:
            return sync(run, dry_run=dry_run, locked=locked, frozen=frozen, prune=prune)

    def check(
        self, *, strict: bool = False, fast: bool = False, deep: bool = False, frozen: bool = False
    ) -> CheckResult:
        """Compare the project's files with the lock; see `operations.check`."""
        from agent_sync.operations.check import check

        with self.run("check") as run:
            inputs = run.inputs(frozen=True) if frozen else run.inputs_or_lock()
            return check(inputs, strict=strict, fast=fast, deep=deep)

    def push(
        self,
        reference: Reference | str,
        *,
        name: str | None = None,
        signing: Signing | None = None,
        compression: Compression | None = None,
        plain_http: bool = False,
    ) -> PushResult:
        """Push the lock and all that it needs as a bundle; see `operations.push`."""
        from agent_sync.operations.push import PushRequest, push

        request = PushRequest(self._reference(reference), name, compression, signing, plain_http)
        with self.run("push") as run:
            return push(run.inputs_or_lock(), request)

    def pull(
        self,
        reference: Reference | str,
        *,
        name: str | None = None,
        write_lock: bool = False,
        allow_unsigned: bool = False,
        accept_signer_change: bool = False,
        plain_http: bool = False,
        confirm: Callable[[PullResult], bool] | None = None,
    ) -> PullResult:
        """Fetch a bundle, verify it, and add it to the cache; see `operations.pull`."""
        from agent_sync.operations.pull import PullRequest, pull

        request = PullRequest(
            self._reference(reference), name, write_lock, allow_unsigned, accept_signer_change, plain_http
        )
        with self.run("pull") as run:
            return pull(run, request, confirm=confirm)

    def bundle_inspect(self, reference: Reference | str, *, plain_http: bool = False) -> BundleDescription:
        """Describe a bundle; see `operations.bundle`."""
        from agent_sync.operations.bundle import bundle_inspect

        with self.run("bundle inspect") as run:
            return bundle_inspect(run.inputs_if_declared(), self._reference(reference), plain_http=plain_http)

    def bundle_verify(
        self,
        reference: Reference | str,
        *,
        name: str | None = None,
        signer: RequiredSigner | None = None,
        plain_http: bool = False,
    ) -> BundleVerdict:
        """Verify who signed a bundle; see `operations.bundle`."""
        from agent_sync.operations.bundle import bundle_verify

        with self.run("bundle verify") as run:
            inputs = run.inputs_if_declared()
            return bundle_verify(inputs, self._reference(reference), name=name, signer=signer, plain_http=plain_http)

    def bundle_sign(
        self, reference: Reference | str, signing: Signing, *, name: str | None = None, plain_http: bool = False
    ) -> SignResult:
        """Add a signature to an existing bundle; see `operations.bundle`."""
        from agent_sync.operations.bundle import bundle_sign

        with self.run("bundle sign") as run:
            inputs = run.inputs_if_declared()
            return bundle_sign(inputs, self._reference(reference), signing, name=name, plain_http=plain_http)

    def bundle_copy(
        self,
        source: Reference | str,
        target: Reference | str,
        *,
        since: bytes | Reference | None = None,
        plain_http: bool = False,
    ) -> CopyResult:
        """Copy a bundle with its signatures; see `operations.bundle`."""
        from agent_sync.operations.bundle import CopyRequest, bundle_copy

        request = CopyRequest(self._reference(source), self._reference(target), since, plain_http)
        with self.run("bundle copy") as run:
            return bundle_copy(run.inputs_if_declared(), request)

    def verify(self, names: Sequence[str] = ()) -> VerifyResult:
        """Compare the lock with upstream; see `operations.verify`."""
        from agent_sync.operations.verify import verify

        with self.run("verify") as run:
            return verify(run.inputs(), names)

    def status(self, names: Sequence[str] = ()) -> StatusResult:
        """Return the state of each source; see `operations.status`."""
        from agent_sync.operations.status import status

        with self.run("status") as run:
            return status(run.inputs_or_lock(), names)

    def diff(self, paths: Sequence[str] = ()) -> DiffResult:
        """Diff the files against the lock; see `operations.diff`."""
        from agent_sync.operations.diff import diff

        with self.run("diff") as run:
            return diff(run.inputs_or_lock(), paths)

    def prune(self, *, dry_run: bool = False) -> PruneResult:
        """Delete files that are no longer declared; see `operations.prune`."""
        from agent_sync.operations.prune import prune

        with self.run("prune") as run:
            return prune(run, dry_run=dry_run)

    def restore(self, path: str) -> RestoreResult:
        """Put back a local edit that a sync replaced; see `operations.restore`."""
        from agent_sync.operations.restore import restore

        with self.run("restore") as run:
            return restore(run, path)

    def recover(self) -> RecoverResult:
        """Undo an interrupted sync; see `operations.recover`."""
        from agent_sync.operations.recover import recover

        with self.run("recover") as run:
            return recover(run.bare_inputs())

    def migrate(self, *, dry_run: bool = False) -> MigrateResult:
        """Upgrade the lock file format; see `operations.migrate`."""
        from agent_sync.operations.migrate import migrate

        with self.run("migrate") as run:
            return migrate(run, dry_run=dry_run)

    def info(self) -> InfoResult:
        """Return versions, paths, and tools; see `operations.info`."""
        from agent_sync.operations.info import info

        with self.run("info"):
            return info(self.places, self.world)

    def init(self) -> InitResult:
        """Write a first configuration; see `operations.init`."""
        from agent_sync.operations.init import init

        return init(self.world.project, RelPath(posixpath.basename(self.places.project.path)))

    def nix_hash(self, path: str) -> NixHashResult:
        """Hash what is at the absolute path as Nix does; see `operations.nix`."""
        from agent_sync.operations.nix import nix_hash

        return nix_hash(self.world, path)

    def nix_import(self) -> NixImportResult:
        """Copy all that the lock pins into the Nix store of this machine; see `operations.nix`."""
        from agent_sync.operations.nix import nix_import

        with self.run("nix import") as run:
            return nix_import(run.inputs())

    def nix_export(self, directory: str, *, secret_key: bytes | None = None) -> NixExportResult:
        """Write all that the lock pins into a Nix binary cache at the absolute path; see `operations.nix`."""
        from agent_sync.operations.nix import nix_export

        with self.run("nix export") as run:
            return nix_export(run.inputs(), directory, secret_key=secret_key)

    @property
    def lock_file(self) -> LockFile:
        """The lock file, wherever `--lockfile` put it."""
        return lock_file(self.places, self.world)

    def _reference(self, reference: Reference | str) -> Reference:
        """Return the reference that the text spells; a relative path starts at the project's root.

        Raises: UsageError.
        """
        from agent_sync.bundle.names import resolve_relative
        from agent_sync_oci.reference import parse_reference

        if not isinstance(reference, str):
            return reference
        return resolve_relative(self.world.project.name, parse_reference(reference))
