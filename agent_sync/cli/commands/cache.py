"""agent-sync cache gc, list, and verify"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import Line, Style, Styled, bytes_text, counted, error_lines, listed, short_digest
from agent_sync.cli.run import DONE, Answer, Section, Session, Verb, VerbGroup
from agent_sync.errors import BlobCorrupt
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.store.audit import Audit, StoredBlob
    from agent_sync.store.cache import Reclaimed


_KEEP_DAYS = 90  # as the cache itself has it; importing that for a help text would load the cache


def cache_gc(
    session: Session,
    keep_days: Annotated[
        int,
        typer.Option(
            "--keep-days", min=0, metavar="DAYS", help="Keep content that locks used in the last DAYS days need."
        ),
    ] = _KEEP_DAYS,
) -> Answer:
    """Delete cached content that no lock needs."""
    reclaimed = session.cache().gc(keep_days=keep_days)
    return Answer(reclaimed, lines=_gc_lines(reclaimed, verbose=session.options.verbose))


def _gc_lines(reclaimed: Reclaimed, *, verbose: bool) -> Iterator[Line]:
    if verbose:
        yield from ((Styled("delete", Style.REMOVED), f" {short_digest(digest)}") for digest in reclaimed.removed)
    yield from listed("not used lately: ", (root.path for root in reclaimed.forgotten))
    yield (
        f"deleted {counted(len(reclaimed.removed), 'blob')} ({bytes_text(reclaimed.freed_bytes)}),"
        f" kept {counted(len(reclaimed.kept), 'blob')}"
    )


GC = Verb(
    "cache gc",
    cache_gc,
    document="documents_out.machine.cache_gc_document",
    examples=("agent-sync cache gc", "agent-sync cache gc --keep-days 30"),
)


def cache_list(session: Session) -> Answer:
    """List cached content and the locks that need it."""
    blobs = session.cache().list()
    return Answer(blobs, lines=_list_lines(blobs))


def _list_lines(blobs: Sequence[StoredBlob]) -> Iterator[Line]:
    for blob in blobs:
        unused = "" if blob.uses else "  needed by no known lock"
        yield (f"{short_digest(blob.digest)}  {bytes_text(blob.size):>9}", Styled(unused, Style.FAINT))
        yield from (f"  {printable_line(use.lock)}: {printable_line(use.what)}" for use in blob.uses)
    yield f"{counted(len(blobs), 'blob')}, {bytes_text(sum(blob.size for blob in blobs))}"


LIST = Verb(
    "cache list",
    cache_list,
    document="documents_out.machine.cache_list_document",
    examples=("agent-sync cache list",),
)


def cache_verify(session: Session) -> Answer:
    """Verify the digest of everything in the cache.

    Cached content is also compared with the locks that are known. Corrupt content is set aside and fetched again when
    it is needed; the exit code is then 5. The exit code is 4 if a lock disagrees with its cached content.
    """
    audit = session.cache().verify()
    return Answer(audit, lines=_verify_lines(audit), code=_verify_code(audit))


def _verify_code(audit: Audit) -> int:
    if audit.corrupt:
        return BlobCorrupt.exit_code
    return audit.disagreements[0].exit_code if audit.disagreements else DONE


def _verify_lines(audit: Audit) -> Iterator[Line]:
    for digest in audit.corrupt:
        yield (Styled("corrupt", Style.ERROR), f" {short_digest(digest)}, set aside")
    for disagreement in audit.disagreements:
        yield from error_lines(disagreement)
    faults = [f"{len(audit.corrupt)} corrupt"] if audit.corrupt else []
    faults += [counted(len(audit.disagreements), "disagreement")] if audit.disagreements else []
    found = f"checked: {', '.join(faults)}" if faults else "verified"
    yield f"{counted(audit.checked, 'blob')} {found}"


VERIFY = Verb(
    "cache verify",
    cache_verify,
    document="documents_out.machine.cache_verify_document",
    examples=("agent-sync cache verify",),
)

VERB = VerbGroup("cache", "List, verify, and clean the cache.", section=Section.MACHINE, verbs=(GC, LIST, VERIFY))
