"""agent-sync nix export"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.bundle_options import read_path_argument
from agent_sync.cli.report import nix_path_lines
from agent_sync.cli.run import Answer, Section, Session, Verb

Sign = Annotated[
    str | None,
    typer.Option("--sign", metavar="KEY", help="Sign with the key in this file (from `nix key generate-secret`)."),
]


def nix_export(
    session: Session,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The directory, which is created if necessary.")],
    *,
    sign: Sign = None,
) -> Answer:
    """Write a Nix binary cache with every tree of the lock.

    Serve the directory over HTTP as a substituter, or copy from it: `nix copy --from file://DIR`. An image layout
    directory of `agent-sync push` can be used; it remains one.
    """
    secret_key = None if sign is None else read_path_argument(sign, session, what="the key")
    result = session.project().nix_export(
        posixpath.normpath(posixpath.join(session.directory, directory)), secret_key=secret_key
    )
    return Answer(result, lines=nix_path_lines(result.paths))


VERB = Verb(
    "nix export",
    nix_export,
    document="documents_out.machine.nix_export_document",
    section=Section.MACHINE,
    examples=("agent-sync nix export /srv/nix-cache", "agent-sync nix export ./cache --sign ./cache.secret"),
)
