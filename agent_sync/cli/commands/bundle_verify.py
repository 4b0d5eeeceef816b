"""agent-sync bundle verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import Name, PlainHttp, read_path_argument, reference_of, sha256_of_artifact
from agent_sync.cli.options import PolicyFile, reject_conflicting
from agent_sync.cli.report import verdict_lines
from agent_sync.cli.run import DONE, Answer, Section, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, short_digest
from agent_sync.errors import Untrusted, UsageError

if TYPE_CHECKING:
    from agent_sync.operations.bundle import BundleVerdict, RequiredSigner


def bundle_verify(
    session: Session,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="HOST/REPOSITORY[:TAG][@DIGEST], oci:DIR[:TAG], or oci-archive:FILE[:TAG]. With --signature: the"
            " signed file, or sha256:HEX.",
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
        typer.Option("--signature", metavar="FILE", help="Verify this Sigstore bundle over any file instead."),
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
        lines=_lines(result),
        code=DONE if result.verdict.accepted else Untrusted.exit_code,
    )


def _requirement(
    session: Session, key: str | None, identity: str | None, issuer: str | None, trusted_root: str | None
) -> RequiredSigner | None:
    from agent_sync.operations.bundle import RequiredSigner

    if not any((key, identity, issuer, trusted_root)):
        return None
    return RequiredSigner(
        key=None if key is None else read_path_argument(key, session, what="the public key"),
        identity=identity,
        issuer=issuer,
        root=None if trusted_root is None else read_path_argument(trusted_root, session, what="the trusted root"),
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
    checked = artifact_verify(sha256, read_path_argument(signature, session, what="the signature"), required)
    logged = "in a transparency log" if checked.logged else "in no transparency log of the trusted root"
    states = (f"states {checked.statement.predicate_type}",) if checked.statement is not None else ()
    return Answer(checked, lines=(f"signed by {checked.signer}, {logged}", *states))


def _lines(result: BundleVerdict) -> Iterator[Line]:
    yield from verdict_lines(result.verdict)
    trusted = Styled("trusted", Style.ADDED) if result.verdict.accepted else Styled("NOT trusted", Style.ERROR)
    yield (f"bundle {result.name} {short_digest(result.digest)}: ", trusted)


VERB = Verb(
    "bundle verify",
    bundle_verify,
    document="documents_out.bundles.signature_check_document",
    section=Section.BUNDLES,
    examples=(
        "agent-sync bundle verify registry.example.com/team/agents:v1 --policy policy.yaml",
        "agent-sync bundle verify oci-archive:agents.tar --name acme/agents --key security.pub",
        "agent-sync bundle verify --signature file.sigstore.json --key security.pub file",
    ),
)
