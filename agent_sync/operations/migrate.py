"""migrate: configuration and lock in the current version (spec §14.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_sync.lock.file import migrate_lock
from agent_sync.operations.inputs import Inputs, Run
from agent_sync.operations.phases import exclusive_access, replace_lock, require_recovered, retry_if_moved


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """Whether there was a lock, and whether it was (or with a dry run would be) written anew."""

    found: bool
    changed: bool
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class MigratePlan:
    """The lock in the current version; None if there is no lock."""

    inputs: Inputs
    content: bytes | None

    @property
    def result(self) -> MigrateResult:
        """What executing the plan does."""
        return MigrateResult(self.content is not None, self.content != self.inputs.lock_content())


def migrate(run: Run, *, dry_run: bool = False) -> MigrateResult:
    """Write the lock in the current version of its format, spelled canonically.

    Version 1 is the first, so that no meaning can change.

    Raises: ConfigInvalid for a configuration of an unknown version; what `plan` and `execute` raise.
    """

    def attempt() -> MigrateResult:
        inputs = run.bare_inputs()
        require_recovered(inputs, dry_run=dry_run)
        _require_known_configuration(run, inputs)
        planned = plan(inputs)
        if dry_run or not planned.result.changed:  # an up-to-date lock needs no `.agent-sync/` to hold
            return replace(planned.result, dry_run=dry_run)
        return execute(planned)

    return retry_if_moved(attempt)


def _require_known_configuration(run: Run, inputs: Inputs) -> None:
    """Raise ConfigInvalid if the project's configuration is of a version that a newer program writes."""
    from agent_sync.config.layer import require_known_version

    file = run.places.project
    content = inputs.reads.recording(run.world.read_file)(file.path)
    if content is not None:
        require_known_version(content, file)


def plan(inputs: Inputs) -> MigratePlan:
    """Read the lock, and spell it in the current version. Raises: LockInvalid for an unknown version."""
    content = inputs.lock_content()
    return MigratePlan(inputs, None if content is None else migrate_lock(content, file=inputs.lock_file.label))


def execute(planned: MigratePlan) -> MigrateResult:
    """Write the lock. Raises: ProjectBusy, MovedMeanwhile, FileSystemError."""
    with exclusive_access(planned.inputs):
        if planned.content is not None:
            replace_lock(planned.inputs, planned.content)
    return planned.result
