"""Sign in-toto statements with a key, or keyless under an identity, and have services witness the signatures.

The only module here that talks to a network, through `sigstore`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from agent_sync_oci.errors import DigestMismatch, InvalidSignature, SigningServiceError, UnusableKey
from agent_sync_oci.signing.bundle import (
    Envelope,
    Fields,
    KeyHint,
    LogEntry,
    SigningCertificate,
    SigstoreBundle,
    base64_text,
    bundle_json,
    pre_authentication,
    read_bundle,
    read_entry,
)
from agent_sync_oci.signing.keys import PrivateKey, PublicKey
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner, Signer, identity_in
from agent_sync_oci.signing.statement import IN_TOTO, read_statement
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_bundle
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig, TransparencyLogEntry
    from sigstore.oidc import IdentityToken


# -- services --------------------------------------------------------------------------------------------------------

_SUBJECT = "trust configuration"

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a trust configuration: they issue certificates, log signatures, and stamp the time.

    Made by `read`. `root` verifies their responses; they have `longest_s` to respond.
    """

    root: TrustedRoot
    _config: ClientTrustConfig = field(repr=False)
    longest_s: float = 120.0  # Rekor 2 answers when the entry is in the log, which takes seconds

    @classmethod
    def read(cls, trust_config: bytes) -> Self:
        """Read the services of a `ClientTrustConfig` in JSON (protobuf-specs, sigstore_trustroot.proto).

        Raises:
            UnusableKey: not a trust configuration, or without a service that is in use today.
        """
        from sigstore.errors import Error
        from sigstore.models import ClientTrustConfig

        try:
            document = read_json(trust_config, subject=_SUBJECT)
            config = ClientTrustConfig.from_json(canonical_json(document).decode())
            _ = config.signing_config
        except (DigestMismatch, Error, ValueError) as error:
            check = f"not usable: {quoted(str(error).partition(chr(10))[0])}"
            raise UnusableKey(subject=_SUBJECT, check=check) from error
        assert isinstance(document, dict)
        return cls(TrustedRoot.read(canonical_json(document["trustedRoot"])), config)

    def sign(self, statement: bytes, token: str) -> bytes:
        """Return the Sigstore bundle, as JSON, in which the identity of `token` signs this in-toto statement.

        Raises:
            UnusableKey: the token is malformed or has expired.
            SigningServiceError: a service failed.
        """
        from sigstore.dsse import Statement
        from sigstore.sign import SigningContext

        identity = _identity(token)

        def signed() -> bytes:
            with SigningContext.from_trust_config(self._config).signer(identity) as signer:
                return signer.sign_dsse(Statement(statement)).to_json().encode()

        return _with_timeout(self.longest_s, signed)

    def witness(self, envelope: Envelope, key: PublicKey) -> tuple[LogEntry, tuple[bytes, ...]]:
        """Return the log's entry for what `key` signed, and the time stamps of its signature.

        Raises:
            SigningServiceError: a service failed.
        """

        def witnessed() -> tuple[LogEntry, tuple[bytes, ...]]:
            stamps = [tsa.request_timestamp(envelope.signature) for tsa in self._config.signing_config.get_tsas()]
            return self._logged(envelope, key), tuple(stamp.as_bytes() for stamp in stamps)

        return _with_timeout(self.longest_s, witnessed)

    def assured(self, bundle: bytes, signer: Signer, statement: bytes) -> bytes:
        """Return `bundle`, which whoever trusts this root will accept.

        Raises:
            SigningServiceError: what the services added does not hold.
        """
        try:
            verify_bundle(bundle, [signer], root=self.root, predicate_type=read_statement(statement).predicate_type)
        except InvalidSignature as error:
            raise _service_fault(f"the response does not hold: {error}") from error
        return bundle

    def _logged(self, envelope: Envelope, key: PublicKey) -> LogEntry:
        from sigstore._internal.rekor import EntryRequestBody  # there is no public way to log what a key signed
        from sigstore._internal.rekor.client_v2 import RekorV2Client

        log, *_ = self._config.signing_config.get_tlogs()
        request = _rekor_2(envelope, key) if isinstance(log, RekorV2Client) else _rekor_1(envelope, key)
        return _entry(log.create_entry(EntryRequestBody(request)))


def _identity(token: str) -> IdentityToken:
    from sigstore.oidc import IdentityError, IdentityToken

    try:
        return IdentityToken(token)
    except IdentityError as error:
        check = "malformed, expired, or not meant for Sigstore"
        raise UnusableKey(subject="identity token", check=check) from error


def _rekor_2(envelope: Envelope, key: PublicKey) -> dict[str, object]:
    verifier = {"publicKey": {"rawBytes": base64_text(key.der)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    sha256 = hashlib.sha256(envelope.signed_bytes()).digest()
    signature = {"content": base64_text(envelope.signature), "verifier": verifier}
    return {"hashedRekordRequestV002": {"digest": base64_text(sha256), "signature": signature}}


def _rekor_1(envelope: Envelope, key: PublicKey) -> dict[str, object]:
    envelope_json = {
        "payload": base64_text(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": base64_text(envelope.signature)}],
    }
    content = {"envelope": canonical_json(envelope_json).decode(), "verifiers": [base64_text(key.pem)]}
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": content}}


def _entry(answer: TransparencyLogEntry) -> LogEntry:
    document = read_json(answer._inner.to_json().encode(), subject=_LOG)  # the public type shows nothing of it
    return read_entry(Fields(document, subject=_LOG))


_LOG = "response of the log"


# -- errors and time -------------------------------------------------------------------------------------------------


class _Outcome(Future[_Result]):
    """The outcome of work in another thread. In the `with` block whatever is raised is kept for who waits for it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if error is not None:
            self.set_exception(error)
        return error is not None


def _with_timeout(longest_s: float, work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns; `sigstore` itself would wait forever.

    Raises:
        SigningServiceError: a service failed, or did not answer in that many seconds.
        BaseException: whatever else `work` raises.
    """
    outcome: _Outcome[_Result] = _Outcome()

    def run() -> None:
        with outcome, _signing_faults():
            outcome.set_result(work())

    threading.Thread(target=run, daemon=True).start()  # a daemon: a silent server must not keep the program from ending
    try:
        return outcome.result(longest_s)
    except TimeoutError as error:
        raise _service_fault(f"no answer in {longest_s:g} s") from error


@contextmanager
def _signing_faults() -> Iterator[None]:
    """Raise SigningServiceError for whatever goes wrong between us and a service."""
    from sigstore._internal.fulcio.client import ExpiredCertificate, FulcioClientError
    from sigstore._internal.rekor import RekorClientError
    from sigstore._internal.timestamp import TimestampError
    from sigstore.errors import Error
    from sigstore.oidc import ExpiredIdentity

    answers = (Error, FulcioClientError, RekorClientError, TimestampError, ExpiredCertificate, ExpiredIdentity)
    try:
        yield
    except answers as error:
        raise _service_fault(f"refused, or an invalid response: {_reason(error)}") from error
    except (OSError, ValueError, TypeError, LookupError) as error:  # OSError: `requests` has its own under it
        raise _service_fault(f"not reachable, or an invalid response: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return quoted(str(error) or str(error.__cause__ or type(error).__name__))


def _service_fault(check: str) -> SigningServiceError:
    return SigningServiceError(subject="a service of the trust configuration", check=check)


# -- with a key ------------------------------------------------------------------------------------------------------


def sign_with_key(statement: bytes, key: PrivateKey, *, trust_config: bytes | None = None) -> bytes:
    """Return the bundle, as JSON, in which `key` signs this in-toto statement.

    With a trust configuration, the signature is also entered in the log that the configuration names, for policies that
    require a log entry; without one, no network is touched.

    Raises:
        UnusableKey: the trust configuration cannot be used.
        SigningServiceError: a service failed.
    """
    signature = key.sign(pre_authentication(statement, payload_type=IN_TOTO))
    envelope = Envelope(statement, IN_TOTO, signature)
    bundle = SigstoreBundle(KeyHint(key.public.hint), envelope)
    if trust_config is None:
        return bundle_json(bundle)
    services = Services.read(trust_config)
    entry, stamps = services.witness(envelope, key.public)
    witnessed = bundle_json(replace(bundle, entries=(entry,), time_stamps=stamps))
    return services.assured(witnessed, KeySigner(key.public), statement)


# -- keyless ---------------------------------------------------------------------------------------------------------


def ambient_token() -> str | None:
    """Return the identity token of the CI job that this runs in, meant for Sigstore; None outside of one.

    Raises:
        UnusableKey: the job may not have a token.
    """
    from sigstore.oidc import IdentityError, detect_credential

    try:
        return detect_credential()
    except IdentityError as error:
        check = f"not available: {quoted(str(error).partition(chr(10))[0])}"
        remedy = "on GitHub, give the workflow the permission `id-token: write`; or pass --identity-token"
        raise UnusableKey(subject="identity token of this CI job", check=check, remedy=remedy) from error


def sign_keyless(statement: bytes, token: str, trust_config: bytes) -> bytes:
    """Return the bundle, as JSON, in which the identity of `token` signs this in-toto statement.

    `trust_config` names the services and the root that verifies their responses: the bundle passes `verify_bundle` with
    that root.

    Raises:
        UnusableKey: the token or the trust configuration cannot be used.
        SigningServiceError: a service failed.
    """
    services = Services.read(trust_config)
    bundle = read_bundle(services.sign(statement, token))
    assert isinstance(bundle.verifier, SigningCertificate)
    signer = IdentitySigner(*identity_in(bundle.verifier.der))
    return services.assured(bundle_json(bundle), signer, statement)
