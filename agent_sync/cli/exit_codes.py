"""The one table: which family of errors ends the program with which code."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync import errors
from agent_sync.errors import AgentSyncError, PartialFailure

DONE = 0
FOUND = 1
UNAVAILABLE = 9
UNTRUSTED = 6
INTERNAL = 70
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class ExitCode:
    """A code, what it says, and the families of errors that end with it."""

    code: int
    meaning: str
    families: tuple[type[AgentSyncError], ...] = ()


EXIT_CODES = (
    ExitCode(DONE, "done; clean"),
    ExitCode(FOUND, "drift or upstream changes found (`check`, `verify`, `diff`); an update that was declined"),
    ExitCode(2, "wrong usage", (errors.UsageError,)),
    ExitCode(3, "configuration invalid, unknown tool", (errors.ConfigInvalid,)),
    ExitCode(4, "lock missing, stale, corrupt, of an unknown version", (errors.LockError,)),
    ExitCode(5, "bytes do not match their digest", (errors.DigestMismatch,)),
    ExitCode(UNTRUSTED, "signature or policy not satisfied", (errors.Untrusted,)),
    ExitCode(
        7, "a path would leave the project, or a name is not allowed, wherever it is written", (errors.UnsafePath,)
    ),
    ExitCode(8, "network or authentication", (errors.NetworkError,)),
    ExitCode(
        UNAVAILABLE,
        "needed bytes are in no cache and `--offline` was given; or `check --deep --strict` lacks them",
        (errors.BytesUnavailable,),
    ),
    ExitCode(10, "ambiguous write: two sources, one file", (errors.AmbiguousOutput,)),
    ExitCode(11, "a transform failed", (errors.TransformFailed,)),
    ExitCode(12, "another process holds the project", (errors.ProjectBusy,)),
    ExitCode(13, "a limit was exceeded", (errors.LimitExceeded,)),
    ExitCode(14, "some sources failed; `update` has put the others into the lock", (errors.PartialFailure,)),
    ExitCode(15, "roll-back incomplete: run `recover`", (errors.RollbackIncomplete,)),
    ExitCode(16, "a content gate refused a file", (errors.ContentRefused,)),
    ExitCode(17, "the file system refused: permission, space, read-only, input/output", (errors.FileSystemError,)),
    ExitCode(INTERNAL, "a fault of ours, with how to report it"),
    ExitCode(INTERRUPTED, "interrupted; nothing half-written", (errors.Cancelled,)),
)

_CODE_OF_FAMILY = {family: each.code for each in EXIT_CODES for family in each.families}


def exit_code_of(error: AgentSyncError) -> int:
    """The code of the family that the error belongs to; of the reason, where many failures have the same."""
    if isinstance(error, PartialFailure) and error.reason is not None:
        return exit_code_of(error.reason)
    return next((_CODE_OF_FAMILY[each] for each in type(error).__mro__ if each in _CODE_OF_FAMILY), INTERNAL)
