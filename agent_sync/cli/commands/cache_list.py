"""agent-sync cache list"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, bytes_text, counted
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.store.audit import StoredBlob


def cache_list(session: Session) -> Answer:
    """List what is in the store, and which lock needs it."""
    blobs = session.cache().list()
    fields = {
        "blobs": [
            {
                "digest": blob.digest,
                "bytes": blob.size,
                "uses": [{"lock": use.lock, "what": use.what} for use in blob.uses],
            }
            for blob in blobs
        ],
        "bytes": sum(blob.size for blob in blobs),
    }
    return Answer(fields, lines=_lines(blobs))


def _lines(blobs: Sequence[StoredBlob]) -> Iterator[Line]:
    for blob in blobs:
        unused = "" if blob.uses else "  needed by no known lock"
        yield (f"{blob.digest}  {bytes_text(blob.size):>9}", Styled(unused, Style.FAINT))
        yield from (f"  {printable_line(use.lock)}: {printable_line(use.what)}" for use in blob.uses)
    yield f"{counted(len(blobs), 'blob')}, {bytes_text(sum(blob.size for blob in blobs))}"


VERB = Verb(
    "cache list",
    cache_list,
    fields={
        "blobs": "each blob: `digest`, `bytes`, and its `uses`: the path of a `lock`, and `what` in it",
        "bytes": "what they take together",
    },
    examples=("agent-sync cache list",),
)
