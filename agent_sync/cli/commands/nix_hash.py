"""agent-sync nix hash"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.run import Answer, Session, Verb


def nix_hash(
    session: Session, path: Annotated[str, typer.Argument(metavar="PATH", help="A directory or file.")]
) -> Answer:
    """Print the narHash of a directory or file, as `nix hash path` does; Nix need not be installed.

    It is the `narHash` of a lock for a directory that holds exactly the locked files.
    """
    result = session.project().nix_hash(posixpath.join(session.directory, path))
    return Answer({"path": result.path, "narHash": result.nar_hash}, lines=(result.nar_hash,))


VERB = Verb(
    "nix hash",
    nix_hash,
    fields={"path": "the absolute path", "narHash": "its hash"},
    examples=("agent-sync nix hash ./rules",),
)
