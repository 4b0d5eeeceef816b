"""Saying which target, and which source, a failure is about (spec §9.1)."""

from __future__ import annotations

from agent_sync.apply.changes import Change, FileChange
from agent_sync.errors import AgentSyncError, Cancelled
from agent_sync.escaping import shown


def blame(error: AgentSyncError, source: str, path: str) -> None:
    """The error, of whatever family it is, is about this target; what it was about before is part of what failed."""
    if isinstance(error, Cancelled):
        return
    if not error.subject.endswith(shown(path)):
        error.check = f"{error.check} ({error.subject})"
    error.subject = subject_of(source, path)
    error.args = (f"{error.subject}: {error.check}",)


def blame_change(error: AgentSyncError, change: Change) -> None:
    """The same for what happened to a change as a whole."""
    blame(error, change.source if isinstance(change, FileChange) else change.files[0].source, change.path)


def subject_of(source: str, path: str) -> str:
    """How an error names a target."""
    return f"source {source}, file {shown(path)}"
