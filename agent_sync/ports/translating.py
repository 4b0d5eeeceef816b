"""The errors of `agent_sync_oci` in our own families, so that a caller catches one kind only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent_sync.errors import (
    AgentSyncError,
    DigestMismatch,
    FileSystemError,
    LimitExceeded,
    NetworkError,
    NotFound,
    Untrusted,
    UsageError,
)
from agent_sync_oci import errors as oci
from agent_sync_oci.redaction import redact

_FAMILIES: tuple[tuple[type[oci.OciError], type[AgentSyncError], str], ...] = (
    (oci.InvalidReference, UsageError, "write HOST/REPOSITORY[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE[:TAG]"),
    (oci.UnusableKey, UsageError, "take another key or token"),
    (oci.NotFound, NotFound, "see that place, tag and digest are right, and that it was pushed there"),
    (oci.RegistryError, NetworkError, "try again later, or ask who runs it"),
    (oci.SigningServiceError, NetworkError, "try again later, ask who runs the service, or sign with a key"),
    (oci.PlaceFault, FileSystemError, "name another directory or file"),
    (oci.ContentLies, DigestMismatch, "fetch it from another place, or have it pushed again by somebody who has it"),
    (oci.TooMuch, LimitExceeded, "do not use this place"),
    (oci.InvalidSignature, Untrusted, "have it signed by whom you trust"),
)
"""Each kind of error, the family that it belongs to here, and what to do where it does not say so itself."""


@contextmanager
def translated() -> Iterator[None]:
    """Within, an error of the OCI package leaves as one of ours with the same three facts."""
    try:
        yield
    except oci.OciError as error:
        raise ours(error) from error


def ours(error: oci.OciError) -> AgentSyncError:
    """The same three facts, in the family that the command line and the library's callers know."""
    family, remedy = next((family, remedy) for theirs, family, remedy in _FAMILIES if isinstance(error, theirs))
    return family(
        subject=redact(error.subject),
        check=redact(error.check),
        remedy=error.remedy or remedy,
    )
