"""Documents of the verbs about the project's files: sync, check, diff, prune, restore, and recover."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypedDict

from agent_sync.documents_out.sources import DifferenceDocument, difference_document

if TYPE_CHECKING:
    from agent_sync.apply import Recovered
    from agent_sync.checkout import KeptEdit
    from agent_sync.operations.check import CheckResult
    from agent_sync.operations.diff import DiffResult
    from agent_sync.operations.prune import PruneResult
    from agent_sync.operations.recover import RecoverResult
    from agent_sync.operations.restore import RestoreResult
    from agent_sync.operations.sync import SyncResult
    from agent_sync.plan.actions import Action, FileDiff
    from agent_sync.tree import RelPath


class ActionDocument(TypedDict):
    """One file that is, or would be, changed."""

    step: Annotated[str, "create, replace, or remove"]
    path: Annotated[str, "the file"]
    source: Annotated[str, "the source that it comes from"]
    edited: Annotated[bool, "whether the file was edited here; the edit is kept"]


class DiffDocument(TypedDict):
    """The difference in one file."""

    path: Annotated[str, "the file"]
    text: Annotated[str, "the unified diff"]


class KeptEditDocument(TypedDict):
    """A local edit that was replaced and kept."""

    path: Annotated[str, "the path that the edit had"]
    place: Annotated[str, "the file that keeps the edit"]


class SyncDocument(TypedDict):
    """What `sync` did."""

    dry_run: Annotated[bool, "whether `--dry-run` was given"]
    actions: Annotated[list[ActionDocument], "what was, or would be, changed"]
    unchanged: Annotated[int, "how many files were up to date"]
    kept: Annotated[list[KeptEditDocument], "the local edits that were kept"]
    kept_back: Annotated[list[str], "files that are no longer declared and stay because they were edited"]
    orphans: Annotated[list[str], "other files that are no longer declared, which stay until they are pruned"]
    diffs: Annotated[list[DiffDocument], "of a dry run, the diff of each change"]


class OwnedPath(TypedDict):
    """A file and the source that it comes from."""

    path: Annotated[str, "the file"]
    source: Annotated[str, "the source that it comes from"]


class OrphanDocument(OwnedPath):
    """A file of an earlier lock."""

    edited: Annotated[bool, "whether the file was edited here; `prune` leaves such files"]


class CheckDocument(TypedDict):
    """What `check` found."""

    clean: Annotated[bool, "whether there is no drift"]
    strict: Annotated[bool, "whether foreign files count as drift"]
    files: Annotated[int, "how many files were compared"]
    changed: Annotated[list[OwnedPath], "files that differ from the lock"]
    missing: Annotated[list[OwnedPath], "files that do not exist"]
    orphaned: Annotated[list[OrphanDocument], "files of an earlier lock that still exist"]
    unexpected: Annotated[list[str], "undeclared files in directories that only agent-sync fills"]
    foreign: Annotated[list[str], "undeclared files in shared directories"]
    unverified: Annotated[list[str], "with `--deep`, what could not be verified because the cache does not have it"]


class DiffsDocument(TypedDict):
    """What `diff` found."""

    diffs: Annotated[list[DiffDocument], "the diff of each file that differs from the lock"]


class PruneDocument(DifferenceDocument):
    """What `prune` did."""

    dry_run: Annotated[bool, "whether `--dry-run` was given"]
    actions: Annotated[list[ActionDocument], "what was, or would be, deleted"]
    kept_back: Annotated[list[str], "files that stay because they were edited"]
    lock_changes: Annotated[bool, "whether the lock changes"]


class RestoreDocument(TypedDict):
    """What `restore` did."""

    path: Annotated[str, "the file that was restored"]
    kept_since: Annotated[str, "when its edit was kept, in UTC"]
    replaced: Annotated[str | None, "the file that keeps the edit which was replaced; null if there was none"]


class RecoveredDocument(TypedDict):
    """An interrupted sync that was recovered."""

    finished: Annotated[bool, "whether the sync was completed; false if it was undone"]
    restored: Annotated[list[str], "the files that were restored to their earlier content"]
    kept: Annotated[list[KeptEditDocument], "the local edits that were kept"]


class RecoverDocument(TypedDict):
    """What `recover` did."""

    recovered: Annotated[RecoveredDocument | None, "the interrupted sync; null if nothing was interrupted"]


def sync_document(result: SyncResult) -> SyncDocument:
    """Return the result of `sync` as a JSON value."""
    return {
        "dry_run": result.dry_run,
        "actions": _actions(result.plan.actions),
        "unchanged": len(result.unchanged),
        "kept": _kept(() if result.applied is None else result.applied.kept),
        "kept_back": [*result.plan.kept_back],
        "orphans": [*result.orphans],
        "diffs": _diffs(result.diffs),
    }


def check_document(result: CheckResult) -> CheckDocument:
    """Return the result of `check` as a JSON value."""

    def owned(paths: Iterable[RelPath]) -> list[OwnedPath]:
        return [{"path": path, "source": result.sources[path]} for path in paths]

    drift = result.drift
    return {
        "clean": result.clean,
        "strict": result.strict,
        "files": result.files,
        "changed": owned(drift.changed),
        "missing": owned(drift.missing),
        "orphaned": [{**each, "edited": each["path"] in result.edited} for each in owned(drift.orphaned)],
        "unexpected": [*drift.unexpected],
        "foreign": [*drift.foreign],
        "unverified": [*result.unverified],
    }


def diff_document(result: DiffResult) -> DiffsDocument:
    """Return the result of `diff` as a JSON value."""
    return {"diffs": _diffs(result.diffs)}


def prune_document(result: PruneResult) -> PruneDocument:
    """Return the result of `prune` as a JSON value."""
    return {
        "dry_run": result.dry_run,
        "actions": _actions(result.removed),
        "kept_back": [*result.kept_back],
        "lock_changes": not result.difference.same,
        **difference_document(result.difference),
    }


def restore_document(result: RestoreResult) -> RestoreDocument:
    """Return the result of `restore` as a JSON value."""
    restored = result.restored
    return {
        "path": restored.edit.path,
        "kept_since": restored.edit.when,
        "replaced": None if restored.replaced is None else restored.replaced.place,
    }


def recover_document(result: RecoverResult) -> RecoverDocument:
    """Return the result of `recover` as a JSON value."""
    return {"recovered": None if result.recovered is None else _recovered(result.recovered)}


def _recovered(recovered: Recovered) -> RecoveredDocument:
    return {"finished": recovered.finished, "restored": [*recovered.restored], "kept": _kept(recovered.kept)}


def _actions(actions: Iterable[Action]) -> list[ActionDocument]:
    return [
        {"step": action.step.value, "path": action.path, "source": action.source, "edited": action.edited}
        for action in actions
    ]


def _diffs(diffs: Iterable[FileDiff]) -> list[DiffDocument]:
    return [{"path": diff.path, "text": diff.text} for diff in diffs]


def _kept(edits: Iterable[KeptEdit]) -> list[KeptEditDocument]:
    return [{"path": edit.path, "place": edit.place} for edit in edits]
