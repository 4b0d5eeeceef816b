"""Every error of the program, as one tree: catch a family, or the root.

    AgentSyncError                70  error
    ├── UsageError                 2  usage
    │   ├── InvalidReference       2  usage
    │   └── UnusableKey            2  usage
    │       └── WrongPassPhrase    2  usage
    ├── ConfigInvalid              3  config-invalid
    │   └── UnknownTool            3  unknown-tool
    ├── LockError                  4  lock
    │   ├── LockMissing            4  lock-missing
    │   ├── LockStale              4  lock-stale
    │   └── LockInvalid            4  lock-invalid
    ├── DigestMismatch             5  content-mismatch
    │   └── BlobCorrupt            5  blob-corrupt
    ├── Untrusted                  6  untrusted
    │   └── InvalidSignature       6  untrusted
    ├── UnsafePath                 7  unsafe-path
    ├── NetworkError               8  network
    │   ├── RegistryError          8  network
    │   │   └── NotFound           8  not-there
    │   └── SigningServiceError    8  network
    ├── BytesUnavailable           9  bytes-unavailable
    ├── AmbiguousOutput           10  ambiguous-output
    ├── TransformFailed           11  transform-failed
    │   └── MissingVariable       11  missing-variable
    ├── ProjectBusy               12  project-busy
    ├── LimitExceeded             13  limit
    ├── PartialFailure            14  partial-failure
    ├── RollbackIncomplete        15  rollback-incomplete
    ├── ContentRefused            16  content-refused
    ├── FileSystemError           17  file-system
    │   └── CrossDeviceLink       17  file-system
    ├── MovedMeanwhile            19  moved-meanwhile
    └── Cancelled                130  cancelled

Each line has the exit code of the command line and the rule, the name of the error in messages and JSON. What concerns
artifacts, registries and signatures is defined in `agent_sync_oci.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_sync_oci.errors import (
    AgentSyncError,
    DigestMismatch,
    FileSystemError,
    InvalidReference,
    InvalidSignature,
    LimitExceeded,
    NetworkError,
    NotFound,
    Place,
    RegistryError,
    SigningServiceError,
    Untrusted,
    UnusableKey,
    UsageError,
    WrongPassPhrase,
)

__all__ = [
    "AgentSyncError",
    "Place",
    "UsageError",
    "InvalidReference",
    "UnusableKey",
    "WrongPassPhrase",
    "ConfigInvalid",
    "UnknownTool",
    "LockError",
    "LockMissing",
    "LockStale",
    "LockInvalid",
    "DigestMismatch",
    "BlobCorrupt",
    "Untrusted",
    "InvalidSignature",
    "UnsafePath",
    "NetworkError",
    "RegistryError",
    "NotFound",
    "SigningServiceError",
    "BytesUnavailable",
    "AmbiguousOutput",
    "TransformFailed",
    "MissingVariable",
    "ProjectBusy",
    "LimitExceeded",
    "PartialFailure",
    "RollbackIncomplete",
    "ContentRefused",
    "FileSystemError",
    "CrossDeviceLink",
    "MovedMeanwhile",
    "Cancelled",
]


# -- configuration and lock ------------------------------------------------------------------------------------------


class ConfigInvalid(AgentSyncError):
    """The configuration is invalid: syntax, schema, version, or a reference to something that is not declared."""

    exit_code = 3
    rule = "config-invalid"


class UnknownTool(ConfigInvalid):
    """A target names a tool that is neither built in nor defined (spec §3.2 rule 3)."""

    rule = "unknown-tool"


class LockError(AgentSyncError):
    """The lock is missing, stale, corrupt, or of an unknown version."""

    exit_code = 4
    rule = "lock"


class LockMissing(LockError):
    """No lock was found, or it has no entry for a declared source."""

    rule = "lock-missing"


class LockStale(LockError):
    """The lock was made for other declarations, or a local directory has changed since."""

    rule = "lock-stale"


class LockInvalid(LockError):
    """The lock is corrupt, inconsistent, unsafe to read, or of an unknown version."""

    rule = "lock-invalid"


# -- content ---------------------------------------------------------------------------------------------------------


class BlobCorrupt(DigestMismatch):
    """A cached blob does not match its digest; `digest` names the blob, so that it can be set aside."""

    rule = "blob-corrupt"

    def __init__(self, *, digest: str, subject: str, check: str, remedy: str | None = None) -> None:
        self.digest = digest
        super().__init__(subject=subject, check=check, remedy=remedy)


class BytesUnavailable(AgentSyncError):
    """Required content is not cached and must not be fetched (`--offline`, or `check --deep --strict`)."""

    exit_code = 9
    rule = "bytes-unavailable"


class UnsafePath(AgentSyncError):
    """A path leaves the project, passes through a link, or has a forbidden name."""

    exit_code = 7
    rule = "unsafe-path"


class ContentRefused(AgentSyncError):
    """The content gate found executable configuration or hidden Unicode that the source does not allow."""

    exit_code = 16
    rule = "content-refused"


# -- the machine -----------------------------------------------------------------------------------------------------


class CrossDeviceLink(FileSystemError):
    """A file cannot be renamed or linked, because its new path is on another file system."""


class ProjectBusy(AgentSyncError):
    """Another process has locked the project."""

    exit_code = 12
    rule = "project-busy"


class MovedMeanwhile(AgentSyncError):
    """The lock, the configuration, or an output changed while the command ran; nothing was written."""

    exit_code = 19
    rule = "moved-meanwhile"


class Cancelled(AgentSyncError):
    """The caller or the user cancelled the run; nothing is half-written."""

    exit_code = 130
    rule = "cancelled"


# -- work ------------------------------------------------------------------------------------------------------------


class AmbiguousOutput(AgentSyncError):
    """Two sources produce the same file (spec §6.4)."""

    exit_code = 10
    rule = "ambiguous-output"


class TransformFailed(AgentSyncError):
    """A template, an override, or a custom command failed."""

    exit_code = 11
    rule = "transform-failed"


class MissingVariable(TransformFailed):
    """A template uses a key that is not in `variables`."""

    rule = "missing-variable"


class PartialFailure(AgentSyncError):
    """Some sources failed; `update` locked the others.

    `failures` has every error by the name of its source. `reason` is the one that speaks for all: the first, if nothing
    succeeded and all failed for one reason, which then decides the exit code.
    """

    exit_code = 14
    rule = "partial-failure"

    def __init__(self, failures: Mapping[str, AgentSyncError], *, succeeded: int) -> None:
        self.failures = failures
        kinds = {type(error) for error in failures.values()}
        self.reason = next(iter(failures.values())) if len(kinds) == 1 and not succeeded else None
        if self.reason is not None:
            self.exit_code = self.reason.exit_code
        super().__init__(
            subject=", ".join(f"source {name}" for name in failures),
            check=f"{len(failures)} of {len(failures) + succeeded} sources failed",
            remedy="see each source's own error",
        )


class RollbackIncomplete(AgentSyncError):
    """A sync failed and could not be undone completely; the journal is kept for `recover`."""

    exit_code = 15
    rule = "rollback-incomplete"
