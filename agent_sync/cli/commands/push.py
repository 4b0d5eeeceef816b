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
from agent_sync.cli.report import Line, bytes_text, counted, listed
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.errors import UsageError

if TYPE_CHECKING:
    from agent_sync.operations.push import PushResult

Compress = Annotated[
    str | None,
    typer.Option(
        "--compress",
        metavar="zstd|none",
        help="How to compress trees.  [default: zstd; none into an image layout directory]",
    ),
]


def push(
    session: Session,
    reference: ReferenceArgument,
    *,
    name: Name = None,
    sign: Annotated[bool, typer.Option("--sign", help="Sign the bundle with --key or --trust-config.")] = False,
    key: Key = None,
    trust_config: TrustConfig = None,
    identity_token: IdentityToken = None,
    compress: Compress = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Push the lock and its files as a bundle.

    Everything that the lock needs is sent to an OCI registry, an image layout directory, or one archive file. Content
    that is already present is not sent again, and the tag moves last. The digest in the printed reference names exactly
    this bundle.
    """
    options = SigningOptions(key, trust_config, identity_token)
    if options.given and not sign:
        raise UsageError(subject="push", check=f"{options.given[0]} was given without --sign", remedy="add --sign")
    if compress not in (None, "zstd", "none"):
        raise UsageError(
            subject="--compress",
            check=f"unknown compression {compress!r}",
            remedy="give --compress zstd or --compress none",
        )
    project = session.project()
    result = project.push(
        reference_of(reference, session),
        name=name,
        signing=signing_of(options, session, offline=project.world.offline) if sign else None,
        compression="zstd" if compress == "zstd" else "none" if compress == "none" else None,
        plain_http=plain_http,
    )
    return Answer(result, lines=_lines(result, verbose=session.options.verbose))


def _lines(result: PushResult, *, verbose: bool) -> Iterator[Line]:
    if verbose:
        yield from listed("sent ", result.sent)
        yield from listed("already present ", result.present)
    signed = ", signed" if result.signed else ""
    yield (
        f"bundle {result.name}{signed}: sent {counted(len(result.sent), 'part')} ({bytes_text(result.sent_bytes)}),"
        f" {len(result.present)} already present"
    )
    yield str(result.reference)


VERB = Verb(
    "push",
    push,
    document="documents_out.bundles.push_document",
    section=Section.BUNDLES,
    examples=(
        "agent-sync push registry.example.com/team/agents:v1 --sign --key cosign.key",
        "agent-sync push oci:./bundles --name acme/agents",
        "agent-sync push oci-archive:agents.tar --name acme/agents --sign --key cosign.key",
    ),
)
