"""agent-sync nix hash"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.run import Answer, Section, Session, Verb


def nix_hash(
    session: Session, path: Annotated[str, typer.Argument(metavar="PATH", help="A directory or a file.")]
) -> Answer:
    """Print the narHash of a directory or file.

    The hash is that of `nix hash path`, but Nix need not be installed. For a directory with exactly the locked files,
    the hash equals the `narHash` in the lock.
    """
    result = session.project().nix_hash(posixpath.join(session.directory, path))
    return Answer(result, lines=(result.nar_hash,))


VERB = Verb(
    "nix hash",
    nix_hash,
    document="documents_out.machine.nix_hash_document",
    section=Section.MACHINE,
    examples=("agent-sync nix hash ./rules",),
)
