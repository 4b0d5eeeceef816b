"""agent-sync cache verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.error_text import error_lines
from agent_sync.cli.run import DONE, Answer, Section, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, counted, short_digest
from agent_sync.errors import BlobCorrupt

if TYPE_CHECKING:
    from agent_sync.store.audit import Audit


def cache_verify(session: Session) -> Answer:
    """Verify the digest of everything in the cache.

    Cached content is also compared with the locks that are known. Corrupt content is set aside and fetched again when
    it is needed; the exit code is then 5. The exit code is 4 if a lock disagrees with its cached content.
    """
    audit = session.cache().verify()
    return Answer(audit, lines=_lines(audit), code=_code(audit))


def _code(audit: Audit) -> int:
    if audit.corrupt:
        return BlobCorrupt.exit_code
    return audit.disagreements[0].exit_code if audit.disagreements else DONE


def _lines(audit: Audit) -> Iterator[Line]:
    for digest in audit.corrupt:
        yield (Styled("corrupt", Style.ERROR), f" {short_digest(digest)}, set aside")
    for disagreement in audit.disagreements:
        yield from error_lines(disagreement)
    faults = [f"{len(audit.corrupt)} corrupt"] if audit.corrupt else []
    faults += [counted(len(audit.disagreements), "disagreement")] if audit.disagreements else []
    found = f"checked: {', '.join(faults)}" if faults else "verified"
    yield f"{counted(audit.checked, 'blob')} {found}"


VERB = Verb(
    "cache verify",
    cache_verify,
    document="documents_out.machine.cache_verify_document",
    section=Section.MACHINE,
    examples=("agent-sync cache verify",),
)
