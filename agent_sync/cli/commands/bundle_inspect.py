"""agent-sync bundle inspect"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.bundle_options import PlainHttp, ReferenceArgument, reference_of
from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, align, bytes_text, counted

if TYPE_CHECKING:
    from agent_sync.bundle.inspect import BundleDescription


def bundle_inspect(session: Session, place: ReferenceArgument, *, plain_http: PlainHttp = False) -> Answer:
    """Show what a bundle consists of, how large it is, and what was attached to it.

    Nothing is proved by this: who signed is who claims to have signed. For a judgement: bundle verify.
    """
    inspected = session.project().bundle_inspect(reference_of(place, session), plain_http=plain_http)
    return Answer(_fields(inspected), lines=_lines(inspected))


def _lines(inspected: BundleDescription) -> Iterator[Line]:
    yield (Styled(inspected.name, Style.STRONG), f"  {inspected.digest}")
    lock = ("agent-sync.lock", "", bytes_text(inspected.lock_size), str(inspected.lock))
    parts = ((each.title, each.pinned_at or "", bytes_text(each.size), str(each.blob)) for each in inspected.parts)
    yield from align([lock, *parts])
    yield f"{counted(len(inspected.parts), 'part')}, {bytes_text(inspected.size)} on the way"
    for each in inspected.attached:
        states = f" states {each.states}" if each.states else ""
        yield f"attached {each.artifact_type}{states}"
        yield from (f"  claims to be by {claims}" for claims in (each.claims,) if claims)
    if not inspected.attached:
        yield "nothing was attached to it: it is not signed"


def _fields(inspected: BundleDescription) -> dict[str, object]:
    return {
        "name": inspected.name,
        "digest": inspected.digest,
        "lock": inspected.lock,
        "bytes": inspected.size,
        "parts": [
            {
                "title": part.title,
                "pinned_at": part.pinned_at,
                "blob": part.blob,
                "unpacked_bytes": part.unpacked_size,
                "manifest": part.manifest,
                "media_type": part.media_type,
                "layer": part.layer,
                "bytes": part.size,
            }
            for part in inspected.parts
        ],
        "attached": [
            {
                "manifest": each.manifest,
                "artifact_type": each.artifact_type,
                "states": each.states,
                "claims": each.claims,
            }
            for each in inspected.attached
        ],
    }


VERB = Verb(
    "bundle inspect",
    bundle_inspect,
    fields={
        "name": "the name that the bundle says it has",
        "digest": "its digest",
        "lock": "the sha256 of the lockfile in it",
        "bytes": "what all of it takes on its way",
        "parts": "each part: its `title`; what a source is `pinned_at`; the `blob` and the `unpacked_bytes` that the"
        " lock says; the `manifest`; of the layer that travels its `media_type`, its digest (`layer`), its `bytes`",
        "attached": "what was attached: `manifest`, `artifact_type`, what it `states`, and who it `claims` to be by"
        " (not checked)",
    },
    examples=(
        "agent-sync bundle inspect registry.example.com/team/agents:v1",
        "agent-sync bundle inspect oci:./bundles",
    ),
)
