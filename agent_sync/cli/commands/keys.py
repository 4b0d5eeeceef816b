"""agent-sync keys generate"""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from agent_sync.cli.bundle_options import new_pass_phrase
from agent_sync.cli.run import Answer, Section, Session, Verb, VerbGroup


def keys_generate(
    session: Session,
    output: Annotated[
        str, typer.Option("--output", metavar="PREFIX", help="Write PREFIX.key and PREFIX.pub.")
    ] = "agent-sync",
) -> Answer:
    """Generate a key pair for signing bundles.

    The keys are ECDSA P-256, and the private key is encrypted in the format of cosign. The pass phrase comes from
    AGENT_SYNC_KEY_PASSWORD or the terminal. cosign accepts both files, and agent-sync accepts the keys of cosign. An
    existing file is never overwritten.
    """
    from agent_sync import wiring

    files = wiring.keys_generate(posixpath.join(session.directory, output), new_pass_phrase(session))
    lines = (f"wrote {output}.key, readable only by you", f"wrote {output}.pub, the public key to verify with")
    return Answer(files, lines=lines)


GENERATE = Verb(
    "keys generate",
    keys_generate,
    document="documents_out.bundles.keys_document",
    examples=("agent-sync keys generate", "agent-sync keys generate --output keys/security"),
)

VERB = VerbGroup("keys", "Generate keys for signing bundles.", section=Section.BUNDLES, verbs=(GENERATE,))
