"""agent-sync cache list"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, bytes_text, counted, short_digest
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.store.audit import StoredBlob


def cache_list(session: Session) -> Answer:
    """List cached content and the locks that need it."""
    blobs = session.cache().list()
    return Answer(blobs, lines=_lines(blobs))


def _lines(blobs: Sequence[StoredBlob]) -> Iterator[Line]:
    for blob in blobs:
        unused = "" if blob.uses else "  needed by no known lock"
        yield (f"{short_digest(blob.digest)}  {bytes_text(blob.size):>9}", Styled(unused, Style.FAINT))
        yield from (f"  {printable_line(use.lock)}: {printable_line(use.what)}" for use in blob.uses)
    yield f"{counted(len(blobs), 'blob')}, {bytes_text(sum(blob.size for blob in blobs))}"


VERB = Verb(
    "cache list",
    cache_list,
    document="documents_out.machine.cache_list_document",
    section=Section.MACHINE,
    examples=("agent-sync cache list",),
)
