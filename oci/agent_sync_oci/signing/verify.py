"""Verify a signature without touching the network: who made it, over what, and which logs and authorities saw it.

`sigstore` verifies certificates; the rest is done here, since it compares neither payload type, nor subject, nor
predicate, passes over what it does not need, and takes no bundles that are signed with a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.bundle import Envelope, KeyHint, Message, SigstoreBundle, bundle_json, read_bundle
from agent_sync_oci.signing.keys import PublicKey
from agent_sync_oci.signing.signers import (
    Identity,
    IdentitySigner,
    KeySigner,
    Signer,
    describe_verifier,
    identity_of,
    match_signer,
    reading_certificates,
)
from agent_sync_oci.signing.statement import COSIGN_SIGN, IN_TOTO, Statement, read_statement
from agent_sync_oci.signing.transparency_log import verify_entry, verify_entry_body
from agent_sync_oci.signing.trusted_root import TimeAuthority, TrustedRoot
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate
    from sigstore.hashes import Hashed


# -- time stamps -----------------------------------------------------------------------------------------------------

_TIMESTAMP = "time stamp of the signature"


def verify_timestamps(stamps: Sequence[bytes], signature: bytes, authorities: Sequence[TimeAuthority]) -> None:
    """Verify that one of `authorities` made each of `stamps` over `signature`. Raises InvalidSignature if not."""
    if len(set(stamps)) != len(stamps):
        raise InvalidSignature(subject=_TIMESTAMP, check="the same time stamp twice")
    for stamp in stamps:
        if not any(_has_stamped(authority, stamp, signature) for authority in authorities):
            raise InvalidSignature(
                subject=_TIMESTAMP, check="no authority of the trusted root made this time stamp for this signature"
            )


def _has_stamped(authority: TimeAuthority, stamp: bytes, signature: bytes) -> bool:
    from cryptography.x509 import load_der_x509_certificate
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    with reading_certificates("time-stamp authority of the trusted root"):
        own, *intermediates, root = map(load_der_x509_certificate, authority.certificates)
        builder = VerifierBuilder().tsa_certificate(own).add_root_certificate(root)
        for certificate in intermediates:
            builder = builder.add_intermediate_certificate(certificate)
    try:
        with reading_certificates(_TIMESTAMP):
            response = decode_timestamp_response(stamp)
            builder.build().verify_message(response, signature)
            return response.tst_info.gen_time in authority.period
    except VerificationError:
        return False


# -- signatures ------------------------------------------------------------------------------------------------------

_SUBJECT = "signature"


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A valid signature. `logged`: a transparency log of the trusted root holds it."""

    signer: Signer
    statement: Statement
    logged: bool


@dataclass(frozen=True, slots=True)
class VerifiedArtifact:
    """A valid signature over an artifact. `statement` is None if the signature is over the artifact itself."""

    signer: Signer
    statement: Statement | None
    logged: bool


def verify_bundle(
    bundle: bytes, signers: Sequence[Signer], *, root: TrustedRoot | None, predicate_type: str = COSIGN_SIGN
) -> VerifiedSignature:
    """Verify a signed statement by one of `signers`. The caller compares its subjects.

    1. It is a Sigstore bundle, without a key twice. 2. It names one of `signers`. 3. The signature is theirs. 4. Every
    log entry and time stamp holds, and a certificate was valid when they were made. 5. The payload is an in-toto
    statement. 6. The statement has this predicate type. Without `root`, a key's log entries and time stamps are not
    read, and count for nothing.

    Raises:
        InvalidSignature: one of these does not hold.
        LimitExceeded: the bundle is too large.
    """
    read = read_bundle(bundle)
    signer = _expected(read, signers)
    envelope = read.content
    if not isinstance(envelope, Envelope):
        # Bare bytes name no bundle: such a signature would be valid under every name.
        raise _rejected("over bare bytes, where a signed statement is required")
    logged = _verify_signature(read, signer, root)
    statement = _statement(envelope)
    if statement.predicate_type != predicate_type:
        raise _rejected(
            f"the statement is {quoted(statement.predicate_type)}, where {quoted(predicate_type)} is required"
        )
    return VerifiedSignature(signer, statement, logged)


def verify_artifact(
    bundle: bytes, artifact_sha256: str, signers: Sequence[Signer], *, root: TrustedRoot | None
) -> VerifiedArtifact:
    """Verify a signature by one of `signers` over the artifact with this SHA-256 (in hex), whatever the artifact is.

    As `verify_bundle`, but for any Sigstore bundle: a statement of any kind with the artifact among its subjects, or a
    signature over the artifact itself. A key that the bundle names in another way, or not at all, is tried as well.

    Raises:
        InvalidSignature: the signature is not valid, or is over something else.
        LimitExceeded: the bundle is too large.
    """
    read = read_bundle(bundle)
    signer = _match_by_signature(read, signers) or _expected(read, signers)
    if isinstance(read.content, Message):
        if read.content.sha256.hex() != artifact_sha256:
            raise _rejected(f"over the digest {read.content.sha256.hex()}, where the artifact has {artifact_sha256}")
        return VerifiedArtifact(signer, None, _verify_signature(read, signer, root))
    logged = _verify_signature(read, signer, root)
    statement = _statement(read.content)
    if artifact_sha256 not in {subject.sha256 for subject in statement.subjects}:
        raise _rejected(f"no subject of the statement has the digest {artifact_sha256}")
    return VerifiedArtifact(signer, statement, logged)


def claimed_signer(bundle: bytes) -> str:
    """Return who claims to have signed, unverified and fit for a terminal. Raises as `verify_bundle` does."""
    return quoted(describe_verifier(read_bundle(bundle).verifier))[1:-1]


# -- who -------------------------------------------------------------------------------------------------------------


def _expected(read: SigstoreBundle, signers: Sequence[Signer]) -> Signer:
    if not signers:
        raise _rejected("no signer is named who could have signed", "name a key, or an identity with its issuer")
    signer = match_signer(read.verifier, signers)
    if signer is None:
        raise _rejected(f"signed by {quoted(describe_verifier(read.verifier))}, not among the required signers")
    return signer


def _match_by_signature(read: SigstoreBundle, signers: Sequence[Signer]) -> Signer | None:
    """Return the key that made the signature, if the bundle names it in a way unknown here; the signature decides."""
    if not isinstance(read.verifier, KeyHint) or match_signer(read.verifier, signers):
        return None
    keys = (each for each in signers if isinstance(each, KeySigner))
    return next((each for each in keys if _is_by(each.public_key, read.content)), None)


# -- what holds ------------------------------------------------------------------------------------------------------


def _verify_signature(read: SigstoreBundle, signer: Signer, root: TrustedRoot | None) -> bool:
    """Verify that the signature is `signer`'s, and return whether a log holds it. Raises InvalidSignature."""
    match signer:
        case KeySigner():
            if not _is_by(signer.public_key, read.content):
                raise _rejected(f"not over this content, or made with another key than {quoted(str(signer))}")
            if root is None:
                return False
            _verify_witnesses(read, root)
            # `sigstore` does this for certificates only; without it the entry of another signature would do.
            for entry in read.entries:
                verify_entry_body(entry, read.content, signer.public_key)
        case IdentitySigner():
            if root is None:
                raise _rejected("keyless, and no trusted root is given", "pin a trusted root: `root` and `root_sha256`")
            _verify_witnesses(read, root)
            _verify_certificate(read, signer, root)
    return bool(read.entries)


def _is_by(key: PublicKey, content: Envelope | Message) -> bool:
    match content:
        case Envelope():
            return key.has_signed(content.signature, content.signed_bytes())
        case Message():
            return key.has_signed_digest(content.signature, content.sha256)


def _verify_witnesses(read: SigstoreBundle, root: TrustedRoot) -> None:
    # Twice the same is one witness, and a sign that somebody pads the bundle.
    if len(set(read.entries)) != len(read.entries):
        raise _rejected("the same log entry twice")
    for entry in read.entries:
        verify_entry(entry, root.logs)
    verify_timestamps(read.time_stamps, read.content.signature, root.time_authorities)


def _verify_certificate(read: SigstoreBundle, signer: IdentitySigner, root: TrustedRoot) -> None:
    """Verify that the certificate is of the root's authorities, logged, was valid then, and made the signature."""
    from sigstore.errors import Error
    from sigstore.models import Bundle

    verifier = root.verifier
    try:
        with reading_certificates(_SUBJECT):
            bundle = Bundle.from_json(bundle_json(read))  # written again, so that both readers have read the same
            match read.content:
                case Envelope():
                    verifier.verify_dsse(bundle, _ExactIdentity(signer))
                case Message():
                    verifier.verify_artifact(_hashed(read.content.sha256), bundle, _ExactIdentity(signer))
    except Error as error:
        raise _rejected(f"the certificate does not hold: {quoted(str(error).partition(chr(10))[0])}") from error


def _hashed(sha256: bytes) -> Hashed:
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    return Hashed(algorithm=HashAlgorithm.SHA2_256, digest=sha256)


class _ExactIdentity:
    """A policy of sigstore's that accepts one identity of one issuer."""

    def __init__(self, signer: IdentitySigner) -> None:
        self._wanted = Identity(signer.identity, signer.issuer)

    def verify(self, certificate: X509Certificate) -> None:
        from sigstore.errors import VerificationError

        if identity_of(certificate) != self._wanted:
            raise VerificationError("the certificate names another identity")


# -- what is signed --------------------------------------------------------------------------------------------------


def _statement(envelope: Envelope) -> Statement:
    if envelope.payload_type != IN_TOTO:
        raise _rejected(f"the payload is {quoted(envelope.payload_type)}, not an in-toto statement")
    return read_statement(envelope.payload)


def _rejected(check: str, remedy: str | None = None) -> InvalidSignature:
    return InvalidSignature(subject=_SUBJECT, check=check, remedy=remedy)
