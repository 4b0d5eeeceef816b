"""agent-sync nix export, hash, and import"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.bundle_options import read_path_argument
from agent_sync.cli.report import nix_path_lines
from agent_sync.cli.run import Answer, Section, Session, Verb, VerbGroup

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

    Serve the directory over HTTP as a substituter, or copy from it: `nix copy --from file://DIR`. DIR may be
    an image layout directory of `agent-sync push`; it remains one.
    """
    secret_key = None if sign is None else read_path_argument(sign, session, what="key")
    result = session.project().nix_export(
        posixpath.normpath(posixpath.join(session.directory, directory)), secret_key=secret_key
    )
    return Answer(result, lines=nix_path_lines(result.paths))


EXPORT = Verb(
    "nix export",
    nix_export,
    document="documents_out.machine.nix_export_document",
    examples=("agent-sync nix export /srv/nix-cache", "agent-sync nix export ./cache --sign ./cache.secret"),
)


def nix_hash(
    session: Session, path: Annotated[str, typer.Argument(metavar="PATH", help="A directory or a file.")]
) -> Answer:
    """Print the narHash of a directory or file.

    The hash is that of `nix hash path`, but Nix need not be installed. For a directory with exactly the locked files,
    the hash equals the `narHash` in the lock.
    """
    result = session.project().nix_hash(posixpath.join(session.directory, path))
    return Answer(result, lines=(result.nar_hash,))


HASH = Verb(
    "nix hash",
    nix_hash,
    document="documents_out.machine.nix_hash_document",
    examples=("agent-sync nix hash ./rules",),
)


def nix_import(session: Session) -> Answer:
    """Add every tree of the lock to the local Nix store.

    Content that is not cached is fetched first. Afterwards, the Nix library finds each tree with `from = "store"`,
    without network and without a cache.
    """
    result = session.project().nix_import()
    return Answer(result, lines=nix_path_lines(result.paths))


IMPORT = Verb(
    "nix import",
    nix_import,
    document="documents_out.machine.nix_import_document",
    examples=("agent-sync nix import",),
)

VERB = VerbGroup("nix", "Use the locked trees in Nix.", section=Section.MACHINE, verbs=(EXPORT, HASH, IMPORT))
