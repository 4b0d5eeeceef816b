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
from agent_sync.cli.run import Answer, Session, Verb


def bundle_sign(
    session: Session,
    place: ReferenceArgument,
    *,
    name: Name = None,
    key: Key = None,
    trust_config: TrustConfig = None,
    identity_token: IdentityToken = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Lay a signature of yours beside a bundle that lies there already; its digest stays what it is.

    You vouch for what lies there at this moment: name it with its digest, and it is what you have looked at.
    """
    project = session.project()
    options = SigningOptions(key, trust_config, identity_token)
    signing = signing_of(options, session, offline=project.world.offline)
    result = project.bundle_sign(reference_of(place, session), signing, name=name, plain_http=plain_http)
    fields = {"name": result.name, "digest": result.digest}
    return Answer(fields, lines=(f"signed {result.name} {result.digest}",))


VERB = Verb(
    "bundle sign",
    bundle_sign,
    fields={"name": "the name that the signature binds to the bundle", "digest": "the digest of the bundle"},
    examples=("agent-sync bundle sign registry.example.com/team/agents@sha256:... --key security.key",),
)
