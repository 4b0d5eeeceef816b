"""migrate: configuration and lock in the current version (spec §14.3)."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.lock.writer import migrate_lock
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.recover import exclusive_access


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """Whether there was a lock, and whether it was (or with a dry run would be) written anew."""

    found: bool
    changed: bool


def migrate(inputs: Inputs, *, dry_run: bool = False) -> MigrateResult:
    """The lock is in the current version and its canonical spelling. Version 1 is the first, so that no meaning can
    change.

    Raises: LockInvalid for a version that nothing leads from.
    """
    with exclusive_access(inputs, dry_run=dry_run):
        content = inputs.lock_file.content()
        if content is None:
            return MigrateResult(found=False, changed=False)
        current = migrate_lock(content, file=inputs.lock_file.shown)
        if current != content and not dry_run:
            inputs.lock_file.replace(current)
        return MigrateResult(found=True, changed=current != content)
