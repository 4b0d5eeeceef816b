"""agent-sync nix import"""

from __future__ import annotations

from agent_sync.cli.report import path_fields, path_lines
from agent_sync.cli.run import Answer, Session, Verb


def nix_import(session: Session) -> Answer:
    """Put every tree that the lock pins into the Nix store of this machine.

    What agent-sync does not have is fetched first. Afterwards `from = "store"` of the Nix library finds each of them,
    without a network and without a cache.
    """
    result = session.project().nix_import()
    return Answer({"paths": path_fields(result.paths)}, lines=path_lines(result.paths))


VERB = Verb(
    "nix import",
    nix_import,
    fields={"paths": "what is in the Nix store now: the `path`, and `what` of the lock it is"},
    examples=("agent-sync nix import",),
)
