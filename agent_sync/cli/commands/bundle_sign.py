"""agent-sync bundle sign"""

from __future__ import annotations

from agent_sync.cli.bundle_options import (
    IdentityToken,
    Key,
    Name,
    PlainHttp,
    ReferenceArgument,
    SigningOptions,
    TrustConfig,
    reference_of,
    signing_of,
)
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.cli.text import short_digest


def bundle_sign(
    session: Session,
    reference: ReferenceArgument,
    *,
    name: Name = None,
    key: Key = None,
    trust_config: TrustConfig = None,
    identity_token: IdentityToken = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Add your signature to an existing bundle.

    The digest of the bundle stays the same. You sign whatever the reference names at this moment: give the digest, and
    you sign exactly the bundle that you have inspected.
    """
    project = session.project()
    options = SigningOptions(key, trust_config, identity_token)
    signing = signing_of(options, session, offline=project.world.offline)
    result = project.bundle_sign(reference_of(reference, session), signing, name=name, plain_http=plain_http)
    return Answer(result, lines=(f"signed {result.name} {short_digest(result.digest)}",))


VERB = Verb(
    "bundle sign",
    bundle_sign,
    document="documents_out.bundles.sign_document",
    section=Section.BUNDLES,
    examples=("agent-sync bundle sign registry.example.com/team/agents@sha256:... --key security.key",),
)
