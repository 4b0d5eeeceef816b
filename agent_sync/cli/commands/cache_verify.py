"""agent-sync cache verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.documents import error_fields
from agent_sync.cli.error_text import error_lines
from agent_sync.cli.run import DONE, Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, counted
from agent_sync.errors import BlobCorrupt

if TYPE_CHECKING:
    from agent_sync.store.audit import Audit


def cache_verify(session: Session) -> Answer:
    """Hash everything in the store, and compare it with what known locks say of it.

    What is corrupt is set aside, and fetched again when it is needed; the exit code is 5 then. It is 4 if a lock
    disagrees with its blob.
    """
    audit = session.cache().verify()
    return Answer(_fields(audit), lines=_lines(audit), code=_code(audit))


def _code(audit: Audit) -> int:
    if audit.corrupt:
        return _corrupt(audit.corrupt[0]).exit_code
    return audit.disagreements[0].exit_code if audit.disagreements else DONE


def _corrupt(digest: str) -> BlobCorrupt:
    return BlobCorrupt(digest=digest, subject=f"blob {digest}", check="its bytes are not what its name says")


def _lines(audit: Audit) -> Iterator[Line]:
    for digest in audit.corrupt:
        yield (Styled("corrupt", Style.ERROR), f" {digest}, set aside")
    for disagreement in audit.disagreements:
        yield from error_lines(disagreement)
    faults = [counted(len(audit.corrupt), "corrupt one")] if audit.corrupt else []
    faults += [counted(len(audit.disagreements), "disagreement")] if audit.disagreements else []
    yield f"{counted(audit.checked, 'blob')} read, {', '.join(faults) or 'all are whole'}"


def _fields(audit: Audit) -> dict[str, object]:
    return {
        "checked": audit.checked,
        "corrupt": audit.corrupt,
        "disagreements": [error_fields(error) for error in audit.disagreements],
    }


VERB = Verb(
    "cache verify",
    cache_verify,
    fields={
        "checked": "how many blobs were read",
        "corrupt": "the digests of those that were set aside",
        "disagreements": "what locks say that is not true of their blobs, as errors",
    },
    examples=("agent-sync cache verify",),
)
