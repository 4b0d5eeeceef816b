"""agent-sync bundle copy"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import PlainHttp, read_path_argument, reference_of
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.cli.text import bytes_text, counted

if TYPE_CHECKING:
    from agent_sync_oci.reference import Reference

_REFERENCES = "HOST/REPOSITORY[:TAG][@DIGEST], oci:DIR[:TAG], or oci-archive:FILE[:TAG]."


def bundle_copy(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="FROM", help=_REFERENCES)],
    target: Annotated[str, typer.Argument(metavar="TO", help=_REFERENCES)],
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="LOCK|REFERENCE",
            help="Leave out what a receiver with this lock file or bundle already has.",
        ),
    ] = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Copy a bundle with its signatures, byte for byte.

    Bundles are copied between registries, image layout directories, and files. With --since only new content is copied;
    a receiver that lacks something is told so, and keeps what it has.
    """
    result = session.project().bundle_copy(
        reference_of(source, session),
        reference_of(target, session),
        since=_since(since, session),
        plain_http=plain_http,
    )
    skipped = f", {result.skipped} already present" if result.skipped else ""
    lines = (
        f"bundle {result.name}: copied {counted(result.blobs, 'blob')} ({bytes_text(result.bytes)}){skipped}",
        str(result.reference),
    )
    return Answer(result, lines=lines)


def _since(text: str | None, session: Session) -> bytes | Reference | None:
    """Return the bytes of the lock file if there is such a file, or else the reference."""
    if text is None:
        return None
    if os.path.isfile(posixpath.join(session.directory, text)):
        return read_path_argument(text, session, what="the lock file")
    return reference_of(text, session)


VERB = Verb(
    "bundle copy",
    bundle_copy,
    document="documents_out.bundles.copy_document",
    section=Section.BUNDLES,
    examples=(
        "agent-sync bundle copy registry.example.com/team/agents:v1 oci-archive:agents.tar",
        "agent-sync bundle copy registry.example.com/team/agents:v2 oci-archive:delta.tar --since agent-sync.lock",
        "agent-sync bundle copy oci-archive:agents.tar mirror.example.com/team/agents:v1",
    ),
)
