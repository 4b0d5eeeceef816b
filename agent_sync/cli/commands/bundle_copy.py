"""agent-sync bundle copy"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import PlainHttp, read_path_argument, reference_of
from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import bytes_text, counted

if TYPE_CHECKING:
    from agent_sync_oci.reference import Reference

_REFERENCES = "HOST/REPOSITORY[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE[:TAG]."


def bundle_copy(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="FROM", help=_REFERENCES)],
    target: Annotated[str, typer.Argument(metavar="TO", help=_REFERENCES)],
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="LOCK|PLACE", help="Leave out what a receiver has who has this lockfile, or this bundle."
        ),
    ] = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Copy a bundle, byte for byte and with its signatures, between registries, layout directories and files.

    With --since only what is new travels. A receiver that lacks something after all is told so, and keeps what it has.
    """
    result = session.project().bundle_copy(
        reference_of(source, session),
        reference_of(target, session),
        since=_since(since, session),
        plain_http=plain_http,
    )
    skipped = f", {result.skipped} did not need to" if result.skipped else ""
    lines = (
        f"bundle {result.name}: {counted(result.blobs, 'blob')} travelled ({bytes_text(result.bytes)}){skipped}",
        str(result.place),
    )
    fields = {
        "name": result.name,
        "place": str(result.place),
        "digest": result.digest,
        "blobs": result.blobs,
        "bytes": result.bytes,
        "skipped": result.skipped,
    }
    return Answer(fields, lines=lines)


def _since(text: str | None, session: Session) -> bytes | Reference | None:
    """A file that is there is a lockfile; anything else is a place."""
    if text is None:
        return None
    if os.path.isfile(posixpath.join(session.directory, text)):
        return read_path_argument(text, session, what="the lockfile")
    return reference_of(text, session)


VERB = Verb(
    "bundle copy",
    bundle_copy,
    fields={
        "name": "the name that the bundle says it has",
        "place": "where it is now, with its digest",
        "digest": "its digest, the same in both places",
        "blobs": "how many blobs travelled",
        "bytes": "what they took",
        "skipped": "how many did not need to",
    },
    examples=(
        "agent-sync bundle copy registry.example.com/team/agents:v1 oci-archive:agents.tar",
        "agent-sync bundle copy registry.example.com/team/agents:v2 oci-archive:delta.tar --since agent-sync.lock",
        "agent-sync bundle copy oci-archive:agents.tar mirror.example.com/team/agents:v1",
    ),
)
