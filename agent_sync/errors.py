"""Every way agent-sync can refuse, each named for the fact that it states.

One error carries three facts: what it is about (`subject`), which check failed (`check`) and what to do (`remedy`).
A library user catches the family; the command line maps each family to one exit code and makes the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a text file: 1-based line and column, and the text of that line for showing it."""

    file: str
    line: int
    column: int
    text: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class AgentSyncError(Exception):
    """The root of every error that agent-sync raises on purpose (spec §13: subject, check, remedy)."""

    rule = "error"

    def __init__(self, *, subject: str, check: str, remedy: str | None = None, place: Place | None = None) -> None:
        self.subject = subject
        self.check = check
        self.remedy = remedy
        self.place = place
        super().__init__(f"{subject}: {check}")

    def restated(
        self, *, subject: str | None = None, check: str | None = None, remedy: str | None = None
    ) -> AgentSyncError:
        """An error of the same kind with these facts in place of its own, to raise from this one."""
        again = self.__class__.__new__(self.__class__)
        again.__dict__.update(self.__dict__)
        again.subject = self.subject if subject is None else subject
        again.check = self.check if check is None else check
        again.remedy = self.remedy if remedy is None else remedy
        again.args = (f"{again.subject}: {again.check}",)
        return again


class UsageError(AgentSyncError):
    """A verb was asked for something that makes no sense, such as a source name nobody declared."""

    rule = "usage"


# -- configuration ---------------------------------------------------------------------------------------------------


class ConfigInvalid(AgentSyncError):
    """The configuration does not mean anything: syntax, schema, version, or a reference to nothing."""

    rule = "config-invalid"


class UnknownTool(ConfigInvalid):
    """A target names a tool that is neither built in nor defined (spec §3.2 rule 3)."""

    rule = "unknown-tool"


# -- lock ------------------------------------------------------------------------------------------------------------


class LockError(AgentSyncError):
    """The lock cannot be used."""

    rule = "lock"


class LockMissing(LockError):
    """There is no lock, or it holds nothing for a declared source."""

    rule = "lock-missing"


class LockStale(LockError):
    """The lock was made for other declarations, or a local directory has changed since."""

    rule = "lock-stale"


class LockInvalid(LockError):
    """The lock is corrupt, inconsistent, unsafe to read, or of an unknown version."""

    rule = "lock-invalid"


# -- bytes -----------------------------------------------------------------------------------------------------------


class DigestMismatch(AgentSyncError):
    """Bytes do not hash to the digest that was asked for."""

    rule = "content-mismatch"


class BlobCorrupt(DigestMismatch):
    """An entry of the store is not what its name says; `digest` tells which, so that it can be set aside."""

    rule = "blob-corrupt"

    def __init__(self, *, digest: str, subject: str, check: str, remedy: str | None = None) -> None:
        self.digest = digest
        super().__init__(subject=subject, check=check, remedy=remedy)


class BytesUnavailable(AgentSyncError):
    """Needed bytes are in no cache, and the network was ruled out."""

    rule = "bytes-unavailable"


# -- trust -----------------------------------------------------------------------------------------------------------


class Untrusted(AgentSyncError):
    """A signature is missing or wrong, or a policy does not allow this."""

    rule = "untrusted"


class UnsafePath(AgentSyncError):
    """A path would leave the project, passes through a link, or bears a name that is not allowed."""

    rule = "unsafe-path"


class ContentRefused(AgentSyncError):
    """The content gate found executable configuration or hidden Unicode that the source does not allow."""

    rule = "content-refused"


# -- the world -------------------------------------------------------------------------------------------------------


class NetworkError(AgentSyncError):
    """A server could not be reached, did not let us in, or answered with nonsense."""

    rule = "network"


class NotFound(NetworkError):
    """A registry, a layout or an archive was reached, and does not have what was asked for."""

    rule = "not-there"


class FileSystemError(AgentSyncError):
    """The file system refused: permission, space, read-only, input/output."""

    rule = "file-system"


class CrossDeviceLink(FileSystemError):
    """A file cannot be renamed or linked to there, because that place lies on another file system."""


class LimitExceeded(AgentSyncError):
    """Something was larger, deeper, longer or slower than allowed."""

    rule = "limit"


class ProjectBusy(AgentSyncError):
    """Another process holds this project."""

    rule = "project-busy"


class Cancelled(AgentSyncError):
    """The caller, or the user, asked to stop; nothing is half-written."""

    rule = "cancelled"


# -- work ------------------------------------------------------------------------------------------------------------


class AmbiguousOutput(AgentSyncError):
    """Two sources want the same file (spec §6.4)."""

    rule = "ambiguous-output"


class TransformFailed(AgentSyncError):
    """A template, an override or a custom command did not succeed."""

    rule = "transform-failed"


class MissingVariable(TransformFailed):
    """A template uses a key that `variables` does not have."""

    rule = "missing-variable"


class PartialFailure(AgentSyncError):
    """Some sources failed; `failures` holds every one, by name.

    `reason` is the one that speaks for the whole: there is one if nothing succeeded and all failed for one reason.
    """

    rule = "partial-failure"

    def __init__(self, failures: Mapping[str, AgentSyncError], *, succeeded: int) -> None:
        self.failures = failures
        kinds = {type(error) for error in failures.values()}
        self.reason = next(iter(failures.values())) if len(kinds) == 1 and not succeeded else None
        super().__init__(
            subject=", ".join(f"source {name}" for name in failures),
            check=f"{len(failures)} of {len(failures) + succeeded} sources failed",
            remedy="see each source's own error",
        )


class RollbackIncomplete(AgentSyncError):
    """A sync failed and undoing it failed as well; the journal stays for `recover`."""

    rule = "rollback-incomplete"
