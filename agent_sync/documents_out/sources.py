"""Documents of the verbs about sources and the lock: update, verify, status, migrate, and what differs in a lock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypedDict

from agent_sync.documents_out.document import SourceErrorDocument, failures_document, iso_time

if TYPE_CHECKING:
    from agent_sync.lock.difference import LockDifference
    from agent_sync.operations.migrate import MigrateResult
    from agent_sync.operations.status import StatusResult
    from agent_sync.operations.update import UpdateResult
    from agent_sync.operations.verify import VerifyResult
    from agent_sync.tree import Change


class PathChanges(TypedDict):
    """Paths by the kind of change."""

    added: Annotated[list[str], "the paths that are new"]
    changed: Annotated[list[str], "the paths with other content"]
    removed: Annotated[list[str], "the paths that are gone"]


class SourceChangeDocument(TypedDict):
    """One source whose lock entry changes."""

    name: Annotated[str, "the name of the source"]
    before: Annotated[str | None, "the old pin; null for a new source"]
    after: Annotated[str | None, "the new pin; null for a source that is removed"]
    files: Annotated[PathChanges, "its files"]
    transformed: Annotated[PathChanges, "its files after its transforms"]


class DifferenceDocument(TypedDict):
    """What differs between two locks."""

    sources: Annotated[list[SourceChangeDocument], "the sources whose lock entry changes"]
    outputs: Annotated[PathChanges, "the output files"]


class UpdateDocument(DifferenceDocument):
    """What `update` found and wrote."""

    dry_run: Annotated[bool, "whether `--dry-run` was given"]
    requested: Annotated[list[str], "the sources that were resolved"]
    changes: Annotated[bool, "whether the lock differs from what upstream has"]
    written: Annotated[bool, "whether a lock was written"]
    inherited: Annotated[DifferenceDocument, "the changes to `.agent-sync/inherited.lock`"]
    failures: Annotated[list[SourceErrorDocument], "the error of each source that failed"]


class ChangedSourceDocument(TypedDict):
    """One source that has changed upstream."""

    name: Annotated[str, "the name of the source"]
    type: Annotated[str, "its type"]
    locked: Annotated[str, "what the lock pins"]
    upstream: Annotated[str, "what upstream has"]


class VerifyDocument(TypedDict):
    """What `verify` found."""

    up_to_date: Annotated[list[str], "the sources that have not changed upstream"]
    changed: Annotated[list[ChangedSourceDocument], "the sources that have changed upstream"]
    failures: Annotated[list[SourceErrorDocument], "the error of each source that could not be checked"]


class SourceStatusDocument(TypedDict):
    """The state of one source."""

    name: Annotated[str, "the name of the source"]
    type: Annotated[str, "its type"]
    pinned_at: Annotated[str, "what the lock pins"]
    targets: Annotated[list[str], "the directories of its targets"]
    state: Annotated[str, "synced, drifted, missing, or pending"]


class StatusDocument(TypedDict):
    """What `status` found."""

    sources: Annotated[list[SourceStatusDocument], "the state of each source"]
    last_sync: Annotated[str | None, "when files were last written, in UTC; null if that is unknown"]


class MigrateDocument(TypedDict):
    """What `migrate` did."""

    dry_run: Annotated[bool, "whether `--dry-run` was given"]
    found: Annotated[bool, "whether there is a lock"]
    changed: Annotated[bool, "whether the lock file was, or would be, rewritten"]


def update_document(result: UpdateResult) -> UpdateDocument:
    """Return the result of `update` as a JSON value."""
    return {
        "dry_run": result.dry_run,
        "requested": [*result.requested],
        "changes": result.changes,
        "written": result.written,
        **difference_document(result.difference),
        "inherited": difference_document(result.inherited_difference),
        "failures": failures_document(result.failures),
    }


def verify_document(result: VerifyResult) -> VerifyDocument:
    """Return the result of `verify` as a JSON value."""
    return {
        "up_to_date": [*result.up_to_date],
        "changed": [
            {"name": each.name, "type": each.type, "locked": each.locked, "upstream": each.upstream}
            for each in result.changed
        ],
        "failures": failures_document(result.failures),
    }


def status_document(result: StatusResult) -> StatusDocument:
    """Return the result of `status` as a JSON value."""
    return {
        "sources": [
            {
                "name": row.name,
                "type": row.type,
                "pinned_at": row.pinned_at,
                "targets": [*row.targets],
                "state": row.state.value,
            }
            for row in result.rows
        ],
        "last_sync": None if result.last_sync_s is None else iso_time(result.last_sync_s),
    }


def migrate_document(result: MigrateResult) -> MigrateDocument:
    """Return the result of `migrate` as a JSON value."""
    return {"dry_run": result.dry_run, "found": result.found, "changed": result.changed}


def difference_document(difference: LockDifference) -> DifferenceDocument:
    """Return what differs between two locks as a JSON value."""
    sources: list[SourceChangeDocument] = [
        {
            "name": change.name,
            "before": change.before,
            "after": change.after,
            "files": _path_changes(change.files),
            "transformed": _path_changes(change.transformed),
        }
        for change in difference.sources
    ]
    return {"sources": sources, "outputs": _path_changes(difference.outputs)}


def _path_changes(changes: Iterable[Change]) -> PathChanges:
    paths: PathChanges = {"added": [], "changed": [], "removed": []}
    for change in changes:
        if change.before is None:
            paths["added"].append(change.path)
        elif change.after is None:
            paths["removed"].append(change.path)
        else:
            paths["changed"].append(change.path)
    return paths
