"""agent-sync bundle verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import Name, PlainHttp, read_path_argument, reference_of, sha256_of_artifact
from agent_sync.cli.options import PolicyFile, reject_conflicting
from agent_sync.cli.report import verdict_fields, verdict_lines
from agent_sync.cli.run import DONE, Answer, Session, Verb
from agent_sync.cli.text import Line
from agent_sync.errors import Untrusted, UsageError

if TYPE_CHECKING:
    from agent_sync.operations.bundle import BundleVerdict, RequiredSigner


def bundle_verify(
    session: Session,
    place: Annotated[
        str,
        typer.Argument(
            metavar="PLACE", help="A bundle, as for the other commands; with --signature the signed file or sha256:HEX."
        ),
    ],
    *,
    name: Name = None,
    policy: PolicyFile = None,
    key: Annotated[str | None, typer.Option("--key", metavar="FILE", help="This public key must have signed.")] = None,
    identity: Annotated[
        str | None, typer.Option("--identity", metavar="WHO", help="This e-mail address or URI must have signed.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option("--issuer", metavar="URL", help="Who must have vouched for that identity.")
    ] = None,
    trusted_root: Annotated[
        str | None, typer.Option("--trusted-root", metavar="FILE", help="The Sigstore instance that is trusted.")
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            "--signature", metavar="FILE", help="Verify this Sigstore bundle over any file or digest instead."
        ),
    ] = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Judge a bundle by its signatures, and explain what each rule says. Nothing of its content is fetched.

    The rules are those of the machine's policy, of the configuration, and of --policy; --key, or --identity with
    --issuer, is one more. The exit code is 6 if the bundle may not be used.
    """
    asked = _requirement(session, key, identity, issuer, trusted_root)
    if signature is not None:
        reject_conflicting(signature=True, policy=policy is not None)
        reject_conflicting(signature=True, name=name is not None)
        reject_conflicting(signature=True, plain_http=plain_http)
        return _artifact(session, place, signature, asked)
    project = session.project(policy=policy)
    result = project.bundle_verify(reference_of(place, session), name=name, asked=asked, plain_http=plain_http)
    return Answer(_fields(result), lines=_lines(result), code=DONE if result.verdict.accepted else Untrusted.exit_code)


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


def _artifact(session: Session, artifact: str, signature: str, asked: RequiredSigner | None) -> Answer:
    from agent_sync.operations.bundle import artifact_verify

    if asked is None:
        raise UsageError(
            subject=artifact,
            check="nothing says who must have signed it",
            remedy="give --key FILE, or --identity with --issuer and --trusted-root",
        )
    sha256 = sha256_of_artifact(artifact, session)
    checked = artifact_verify(sha256, read_path_argument(signature, session, what="the signature"), asked)
    states = None if checked.statement is None else checked.statement.predicate_type
    fields = {"accepted": True, "signer": str(checked.signer), "states": states, "logged": checked.logged}
    logged = "in a transparency log" if checked.logged else "in no transparency log that was looked at"
    said = (f"states {states}",) if states else ()
    return Answer(fields, lines=(f"signed by {checked.signer}, {logged}", *said))


def _lines(result: BundleVerdict) -> Iterator[Line]:
    yield from verdict_lines(result.verdict)
    used = "may be used" if result.verdict.accepted else "may NOT be used"
    yield f"bundle {result.name} {result.digest} {used}"


def _fields(result: BundleVerdict) -> dict[str, object]:
    return {"name": result.name, "digest": result.digest, **verdict_fields(result.verdict)}


VERB = Verb(
    "bundle verify",
    bundle_verify,
    fields={
        "name": "the name that the signatures must be for",
        "digest": "the digest of the bundle",
        "accepted": "whether it may be used; of a file: whether the signature is good",
        "signed": "whether somebody whom a rule names has signed it",
        "rules": "each rule: `bundle`, `threshold`, `satisfied`, its `signers` who have signed, and what was"
        " `passed_over`",
        "refusals": "every reason not to use it",
        "signer": "of a file: who signed it",
        "states": "of a file: the type of the statement, if it is one",
        "logged": "of a file: whether a transparency log of the trusted root holds the signature",
    },
    examples=(
        "agent-sync bundle verify registry.example.com/team/agents:v1 --policy policy.yaml",
        "agent-sync bundle verify oci-archive:agents.tar --name acme/agents --key security.pub",
        "agent-sync bundle verify --signature file.sigstore.json --key security.pub file",
    ),
)
