"""agent-sync nix export"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.answer import Answer, Verb
from agent_sync.cli.bundle_options import read_named
from agent_sync.cli.nix_paths import path_fields, path_lines
from agent_sync.cli.session import Session

Sign = Annotated[
    str | None,
    typer.Option("--sign", metavar="KEY", help="Sign with the key in this file, made by `nix key generate-secret`."),
]


def nix_export(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder; it is made if it is not there.")],
    *,
    sign: Sign = None,
) -> Answer:
    """Make a folder a binary cache of Nix that serves every tree that the lock pins.

    Serve the folder over HTTP as a substituter, or copy from it: `nix copy --from file://DIR`. It may be a layout
    folder of agent-sync push, which it then stays.
    """
    secret_key = None if sign is None else read_named(sign, session, what="the key")
    result = session.project().nix_export(
        posixpath.normpath(posixpath.join(session.folder, folder)), secret_key=secret_key
    )
    fields = {"folder": result.folder, "paths": path_fields(result.paths), "signed": result.signed}
    return Answer(fields, lines=path_lines(result.paths))


VERB = Verb(
    "nix export",
    nix_export,
    fields={
        "folder": "the absolute path of the cache",
        "paths": "what it serves: the store `path`, and `what` of the lock it is",
        "signed": "whether the paths are signed",
    },
    examples=("agent-sync nix export /srv/nix-cache", "agent-sync nix export ./cache --sign ./cache.secret"),
)
