"""agent-sync nix export"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.bundle_options import read_path_argument
from agent_sync.cli.report import path_fields, path_lines
from agent_sync.cli.run import Answer, Session, Verb

Sign = Annotated[
    str | None,
    typer.Option("--sign", metavar="KEY", help="Sign with the key in this file, made by `nix key generate-secret`."),
]


def nix_export(
    session: Session,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The directory; it is made if it is not there.")],
    *,
    sign: Sign = None,
) -> Answer:
    """Make a directory a binary cache of Nix that serves every tree that the lock pins.

    Serve the directory over HTTP as a substituter, or copy from it: `nix copy --from file://DIR`. It may be a layout
    directory of agent-sync push, which it then stays.
    """
    secret_key = None if sign is None else read_path_argument(sign, session, what="the key")
    result = session.project().nix_export(
        posixpath.normpath(posixpath.join(session.directory, directory)), secret_key=secret_key
    )
    fields = {"directory": result.directory, "paths": path_fields(result.paths), "signed": result.signed}
    return Answer(fields, lines=path_lines(result.paths))


VERB = Verb(
    "nix export",
    nix_export,
    fields={
        "directory": "the absolute path of the cache",
        "paths": "what it serves: the store `path`, and `what` of the lock it is",
        "signed": "whether the paths are signed",
    },
    examples=("agent-sync nix export /srv/nix-cache", "agent-sync nix export ./cache --sign ./cache.secret"),
)
