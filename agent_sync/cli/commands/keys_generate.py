"""agent-sync keys generate"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.bundle_options import new_pass_phrase
from agent_sync.cli.run import Answer, Session, Verb


def keys_generate(
    session: Session,
    output: Annotated[
        str, typer.Option("--output", metavar="PREFIX", help="Write PREFIX.key and PREFIX.pub.")
    ] = "agent-sync",
) -> Answer:
    """Make a key pair for signing bundles: ECDSA P-256, the private half encrypted as cosign does it.

    The pass phrase comes from AGENT_SYNC_KEY_PASSWORD or the terminal. cosign takes both files, and agent-sync takes
    cosign's. A file that is there is never written over.
    """
    from agent_sync import wiring

    files = wiring.keys_generate(posixpath.join(session.directory, output), new_pass_phrase(session))
    lines = (f"wrote {output}.key, which only you can read", f"wrote {output}.pub, for whoever verifies")
    return Answer({"private": files.private, "public": files.public, "hint": files.hint}, lines=lines)


VERB = Verb(
    "keys generate",
    keys_generate,
    fields={
        "private": "the file with the encrypted private key",
        "public": "the file with the public key",
        "hint": "how signatures name the key",
    },
    examples=("agent-sync keys generate", "agent-sync keys generate --output keys/security"),
)
