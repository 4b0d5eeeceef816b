"""agent-sync nix import"""

from __future__ import annotations

from agent_sync.cli.report import nix_path_lines
from agent_sync.cli.run import Answer, Section, Session, Verb


def nix_import(session: Session) -> Answer:
    """Add every tree of the lock to the local Nix store.

    Content that is not cached is fetched first. Afterwards `from = "store"` of the Nix library finds each tree, without
    a network and without a cache.
    """
    result = session.project().nix_import()
    return Answer(result, lines=nix_path_lines(result.paths))


VERB = Verb(
    "nix import",
    nix_import,
    document="documents_out.machine.nix_import_document",
    section=Section.MACHINE,
    examples=("agent-sync nix import",),
)
