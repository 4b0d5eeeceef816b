"""agent-sync bundle copy, inspect, sign, and verify"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import (
    REFERENCE_FORMS,
    IdentityToken,
    Key,
    Name,
    PlainHttp,
    ReferenceArgument,
    SigningOptions,
    TrustConfig,
    read_path_argument,
    reference_of,
    sha256_of_artifact,
    signing_of,
)
from agent_sync.cli.options import PolicyFile, reject_conflicting
from agent_sync.cli.report import Line, Style, Styled, align, bytes_text, counted, short_digest, verdict_lines
from agent_sync.cli.run import DONE, Answer, Section, Session, Verb, VerbGroup
from agent_sync.errors import Untrusted, UsageError

if TYPE_CHECKING:
    from agent_sync.bundle.inspect import BundleDescription
    from agent_sync.operations.bundle import BundleVerdict, RequiredSigner
    from agent_sync_oci.reference import Reference


def bundle_copy(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="FROM", help=REFERENCE_FORMS)],
    target: Annotated[str, typer.Argument(metavar="TO", help=REFERENCE_FORMS)],
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="LOCK|REFERENCE",
            help="Leave out what a receiver with this lock file or bundle already has.",
        ),
    ] = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Copy a bundle with its signatures, byte for byte.

    Bundles are copied between registries, image layout directories, and files. With --since, only new content is
    copied; a receiver that lacks other content gets an error, and keeps what it has.
    """
    result = session.project().bundle_copy(
        reference_of(source, session),
        reference_of(target, session),
        since=_since(since, session),
        plain_http=plain_http,
    )
    skipped = f", {result.skipped} already present" if result.skipped else ""
    lines = (
        f"bundle {result.name}: copied {counted(result.blobs, 'blob')} ({bytes_text(result.bytes)}){skipped}",
        str(result.reference),
    )
    return Answer(result, lines=lines)


def _since(text: str | None, session: Session) -> bytes | Reference | None:
    """Return the bytes of the lock file if there is such a file, or else the reference."""
    if text is None:
        return None
    if os.path.isfile(posixpath.join(session.directory, text)):
        return read_path_argument(text, session, what="lock file")
    return reference_of(text, session)


COPY = Verb(
    "bundle copy",
    bundle_copy,
    document="documents_out.bundles.copy_document",
    examples=(
        "agent-sync bundle copy registry.example.com/team/agents:v1 oci-archive:agents.tar",
        "agent-sync bundle copy registry.example.com/team/agents:v2 oci-archive:delta.tar --since agent-sync.lock",
        "agent-sync bundle copy oci-archive:agents.tar mirror.example.com/team/agents:v1",
    ),
)


def bundle_inspect(session: Session, reference: ReferenceArgument, *, plain_http: PlainHttp = False) -> Answer:
    """Show the parts, the size, and the attachments of a bundle.

    Nothing is verified: signers are shown as the signatures claim them. To verify, run `agent-sync bundle verify`.
    """
    contents = session.project().bundle_inspect(reference_of(reference, session), plain_http=plain_http)
    return Answer(contents, lines=_inspect_lines(contents))


_TITLES = {"(rendered)": "rendered outputs"}
_ATTACHMENTS = {
    "https://sigstore.dev/cosign/sign/v1": "signature",
    "https://slsa.dev/provenance/v1": "provenance",
    "https://cyclonedx.org/bom": "bill of materials",
}


def _inspect_lines(contents: BundleDescription) -> Iterator[Line]:
    yield (Styled(contents.name, Style.STRONG), f"  {contents.digest}")  # whole: it is what one copies into a reference
    lock = ("agent-sync.lock", "", bytes_text(contents.lock_size), short_digest(contents.lock))
    parts = (
        (_TITLES.get(each.title, each.title), each.pinned_at or "", bytes_text(each.size), short_digest(each.blob))
        for each in contents.parts
    )
    yield from align([lock, *parts])
    yield f"{counted(len(contents.parts), 'part')}, {bytes_text(contents.size)} to transfer"
    for each in contents.attached:
        what = _ATTACHMENTS.get(each.states or "", each.states or each.artifact_type)
        yield f"attached: {what}" + (f", claimed signer: {each.claims}" if each.claims else "")
    if not contents.attached:
        yield "no attachments: the bundle is not signed"


INSPECT = Verb(
    "bundle inspect",
    bundle_inspect,
    document="documents_out.bundles.inspect_document",
    examples=(
        "agent-sync bundle inspect registry.example.com/team/agents:v1",
        "agent-sync bundle inspect oci:./bundles",
    ),
)


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

    The digest of the bundle stays the same. The signature is for the bundle that the reference names at this moment.
    To sign exactly the bundle that you have inspected, give its digest.
    """
    project = session.project()
    options = SigningOptions(key, trust_config, identity_token)
    signing = signing_of(options, session, offline=project.world.offline)
    result = project.bundle_sign(reference_of(reference, session), signing, name=name, plain_http=plain_http)
    return Answer(result, lines=(f"signed {result.name} {short_digest(result.digest)}",))


SIGN = Verb(
    "bundle sign",
    bundle_sign,
    document="documents_out.bundles.sign_document",
    examples=("agent-sync bundle sign registry.example.com/team/agents@sha256:... --key security.key",),
)


def bundle_verify(
    session: Session,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help=f"{REFERENCE_FORMS} With --signature: the signed file, or sha256:HEX.",
        ),
    ],
    *,
    name: Name = None,
    policy: PolicyFile = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="FILE", help="Require a signature by this public key.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option("--identity", metavar="WHO", help="Require a signature by this email address or URI."),
    ] = None,
    issuer: Annotated[str | None, typer.Option("--issuer", metavar="URL", help="The issuer of that identity.")] = None,
    trusted_root: Annotated[
        str | None, typer.Option("--trusted-root", metavar="FILE", help="Trust the Sigstore instance of this file.")
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="FILE", help="Verify this Sigstore bundle of any file instead."),
    ] = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Verify the signatures of a bundle against the policy.

    The report explains each rule; no content of the bundle is fetched. The rules come from the machine's policy, the
    configuration, and --policy; --key, or --identity with --issuer, adds one. The exit code is 6 if the bundle is not
    trusted.
    """
    required = _requirement(session, key, identity, issuer, trusted_root)
    if signature is not None:
        reject_conflicting(signature=True, policy=policy is not None)
        reject_conflicting(signature=True, name=name is not None)
        reject_conflicting(signature=True, plain_http=plain_http)
        return _artifact(session, reference, signature, required)
    project = session.project(policy=policy)
    result = project.bundle_verify(reference_of(reference, session), name=name, signer=required, plain_http=plain_http)
    return Answer(
        result,
        lines=_verify_lines(result),
        code=DONE if result.verdict.accepted else Untrusted.exit_code,
    )


def _requirement(
    session: Session, key: str | None, identity: str | None, issuer: str | None, trusted_root: str | None
) -> RequiredSigner | None:
    from agent_sync.operations.bundle import RequiredSigner

    if not any((key, identity, issuer, trusted_root)):
        return None
    return RequiredSigner(
        key=None if key is None else read_path_argument(key, session, what="public key"),
        identity=identity,
        issuer=issuer,
        root=None if trusted_root is None else read_path_argument(trusted_root, session, what="trusted root"),
        label=key or "",
    )


def _artifact(session: Session, artifact: str, signature: str, required: RequiredSigner | None) -> Answer:
    from agent_sync.operations.bundle import artifact_verify

    if required is None:
        raise UsageError(
            subject=artifact,
            check="no signer is required",
            remedy="give --key FILE, or --identity with --issuer and --trusted-root",
        )
    sha256 = sha256_of_artifact(artifact, session)
    checked = artifact_verify(sha256, read_path_argument(signature, session, what="signature"), required)
    logged = "in a transparency log" if checked.logged else "in no transparency log of the trusted root"
    states = (f"states {checked.statement.predicate_type}",) if checked.statement is not None else ()
    return Answer(checked, lines=(f"signed by {checked.signer}, {logged}", *states))


def _verify_lines(result: BundleVerdict) -> Iterator[Line]:
    yield from verdict_lines(result.verdict)
    trusted = Styled("trusted", Style.ADDED) if result.verdict.accepted else Styled("NOT trusted", Style.ERROR)
    yield (f"bundle {result.name} {short_digest(result.digest)}: ", trusted)


VERIFY = Verb(
    "bundle verify",
    bundle_verify,
    document="documents_out.bundles.signature_check_document",
    examples=(
        "agent-sync bundle verify registry.example.com/team/agents:v1 --policy policy.yaml",
        "agent-sync bundle verify oci-archive:agents.tar --name acme/agents --key security.pub",
        "agent-sync bundle verify --signature file.sigstore.json --key security.pub file",
    ),
)

VERB = VerbGroup(
    "bundle", "Inspect, verify, sign, and copy bundles.", section=Section.BUNDLES, verbs=(COPY, INSPECT, SIGN, VERIFY)
)
