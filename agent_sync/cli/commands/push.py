"""agent-sync push"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

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
from agent_sync.cli.text import Line, bytes_text, counted, listed
from agent_sync.errors import UsageError

if TYPE_CHECKING:
    from agent_sync.operations.push import PushResult

Compress = Annotated[
    str | None,
    typer.Option(
        "--compress", metavar="zstd|none", help="How trees travel.  [default: zstd; none into a layout directory]"
    ),
]


def push(
    session: Session,
    place: ReferenceArgument,
    *,
    name: Name = None,
    sign: Annotated[bool, typer.Option("--sign", help="Sign the bundle; --key or --trust-config says who.")] = False,
    key: Key = None,
    trust_config: TrustConfig = None,
    identity_token: IdentityToken = None,
    compress: Compress = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Publish the lock and its files as a bundle.

    Everything that the lock needs goes along, into an OCI registry, an image layout directory or one archive. What is
    there already is not sent again, and the tag moves last. The digest that is printed names exactly this bundle for
    ever.
    """
    options = SigningOptions(key, trust_config, identity_token)
    if options.given and not sign:
        raise UsageError(subject="push", check="it was told who signs, and not to sign", remedy="add --sign")
    if compress not in (None, "zstd", "none"):
        raise UsageError(subject="--compress", check=f"{compress!r} is no way to compress", remedy="say zstd or none")
    project = session.project()
    result = project.push(
        reference_of(place, session),
        name=name,
        signing=signing_of(options, session, offline=project.world.offline) if sign else None,
        compression="zstd" if compress == "zstd" else "none" if compress == "none" else None,
        plain_http=plain_http,
    )
    return Answer(_fields(result), lines=_lines(result, verbose=session.options.verbose))


def _lines(result: PushResult, *, verbose: bool) -> Iterator[Line]:
    if verbose:
        yield from listed("sent ", result.sent)
        yield from listed("there already ", result.present)
    signed = ", signed" if result.signed else ""
    yield (
        f"bundle {result.name}{signed}: sent {counted(len(result.sent), 'part')} ({bytes_text(result.sent_bytes)}),"
        f" {len(result.present)} there already"
    )
    yield str(result.place)


def _fields(result: PushResult) -> dict[str, object]:
    return {
        "name": result.name,
        "place": str(result.place),
        "digest": result.digest,
        "sent": result.sent,
        "present": result.present,
        "sent_bytes": result.sent_bytes,
        "signed": result.signed,
    }


VERB = Verb(
    "push",
    push,
    fields={
        "name": "the name that signatures of the bundle are bound to",
        "place": "where it is, with its digest",
        "digest": "the digest that names this bundle for ever",
        "sent": "the parts that were sent",
        "present": "the parts that were there already",
        "sent_bytes": "how many bytes of parts were sent",
        "signed": "whether a signature was laid beside it",
    },
    examples=(
        "agent-sync push registry.example.com/team/agents:v1 --sign --key cosign.key",
        "agent-sync push oci:./bundles --name acme/agents",
        "agent-sync push oci-archive:agents.tar --name acme/agents --sign --key cosign.key",
    ),
)
