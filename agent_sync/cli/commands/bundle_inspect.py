"""agent-sync bundle inspect"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.bundle_options import PlainHttp, ReferenceArgument, reference_of
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, align, bytes_text, counted, short_digest

if TYPE_CHECKING:
    from agent_sync.bundle.inspect import BundleDescription


def bundle_inspect(session: Session, reference: ReferenceArgument, *, plain_http: PlainHttp = False) -> Answer:
    """Show the parts, the size, and the attachments of a bundle.

    Nothing is verified: a signer is shown as the signature claims it. To verify a bundle, run agent-sync bundle verify.
    """
    contents = session.project().bundle_inspect(reference_of(reference, session), plain_http=plain_http)
    return Answer(contents, lines=_lines(contents))


def _lines(contents: BundleDescription) -> Iterator[Line]:
    yield (Styled(contents.name, Style.STRONG), f"  {contents.digest}")  # whole: it is what one copies into a reference
    lock = ("agent-sync.lock", "", bytes_text(contents.lock_size), short_digest(contents.lock))
    parts = (
        (each.title, each.pinned_at or "", bytes_text(each.size), short_digest(each.blob)) for each in contents.parts
    )
    yield from align([lock, *parts])
    yield f"{counted(len(contents.parts), 'part')}, {bytes_text(contents.size)} to transfer"
    for each in contents.attached:
        states = f" states {each.states}" if each.states else ""
        yield f"attached {each.artifact_type}{states}"
        yield from (f"  claims to be by {claims}" for claims in (each.claims,) if claims)
    if not contents.attached:
        yield "nothing is attached: the bundle is not signed"


VERB = Verb(
    "bundle inspect",
    bundle_inspect,
    document="documents_out.bundles.inspect_document",
    section=Section.BUNDLES,
    examples=(
        "agent-sync bundle inspect registry.example.com/team/agents:v1",
        "agent-sync bundle inspect oci:./bundles",
    ),
)
