"""The errors of `agent_sync_oci` in our own families, so that a caller catches one kind only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent_sync.errors import (
    AgentSyncError,
    ContentMismatch,
    FileFault,
    LimitExceeded,
    NetworkError,
    NotThere,
    Untrusted,
    UsageWrong,
)
from agent_sync.redaction import without_credentials
from agent_sync_oci import errors as oci

_FAMILIES: tuple[tuple[type[oci.OciError], type[AgentSyncError]], ...] = (
    (oci.ReferenceInvalid, UsageWrong),
    (oci.KeyUnusable, UsageWrong),
    (oci.NotFound, NotThere),
    (oci.RegistryFault, NetworkError),
    (oci.SigningFault, NetworkError),
    (oci.PlaceFault, FileFault),
    (oci.ContentLies, ContentMismatch),
    (oci.TooMuch, LimitExceeded),
    (oci.SignatureRejected, Untrusted),
)


@contextmanager
def translated() -> Iterator[None]:
    """Within, an error of the OCI package leaves as one of ours with the same three facts."""
    try:
        yield
    except oci.OciError as error:
        raise ours(error) from error


def ours(error: oci.OciError) -> AgentSyncError:
    """The same three facts, in the family that the command line and the library's callers know."""
    family = next(each for theirs, each in _FAMILIES if isinstance(error, theirs))
    return family(
        subject=without_credentials(error.subject), check=without_credentials(error.check), remedy=error.remedy
    )
