"""Sign in-toto statements with a key, or keyless under an identity, and have services witness it.

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
from agent_sync_oci.image_spec import IN_TOTO
from agent_sync_oci.signing.bundle import (
    Envelope,
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
from agent_sync_oci.signing.protojson import Fields
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner, Signer, identity_in
from agent_sync_oci.signing.statement import read_statement
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_bundle
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig, TransparencyLogEntry
    from sigstore.oidc import IdentityToken


# -- The services that a trust configuration names: they issue certificates, log signatures and stamp the time. The
# only file here that talks to a network, through `sigstore`.

_SUBJECT = "the trust configuration"

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Services:
    """Made by `read`. `root`: what their answers can be checked with. `longest_s`: how long they are waited for."""

    root: TrustedRoot
    _config: ClientTrustConfig = field(repr=False)
    longest_s: float = 120.0  # Rekor 2 answers when the entry is in the log, which takes seconds

    @classmethod
    def read(cls, trust_config: bytes) -> Self:
        """The services of a `ClientTrustConfig` in JSON (protobuf-specs, sigstore_trustroot.proto).

        Raises KeyUnusable: it is none, or names no service that is in use today.
        """
        from sigstore.errors import Error
        from sigstore.models import ClientTrustConfig

        try:
            document = read_json(trust_config, subject=_SUBJECT)
            config = ClientTrustConfig.from_json(canonical_json(document).decode())
            _ = config.signing_config
        except (DigestMismatch, Error, ValueError) as error:
            check = f"it is none that can be used: {quoted(str(error).partition(chr(10))[0])}"
            raise UnusableKey(subject=_SUBJECT, check=check) from error
        assert isinstance(document, dict)
        return cls(TrustedRoot.read(canonical_json(document["trustedRoot"])), config)

    def sign(self, statement: bytes, token: str) -> bytes:
        """The Sigstore bundle, as JSON, in which the identity of `token` signs this in-toto statement.

        Raises KeyUnusable (the token), SigningFault (a service).
        """
        from sigstore.dsse import Statement
        from sigstore.sign import SigningContext

        identity = _identity(token)

        def signed() -> bytes:
            with SigningContext.from_trust_config(self._config).signer(identity) as signer:
                return signer.sign_dsse(Statement(statement)).to_json().encode()

        return _with_timeout(self.longest_s, signed)

    def witness(self, envelope: Envelope, key: PublicKey) -> tuple[LogEntry, tuple[bytes, ...]]:
        """The log's entry for what `key` signed, and the time stamps of its signature. Raises SigningFault."""

        def witnessed() -> tuple[LogEntry, tuple[bytes, ...]]:
            stamps = [tsa.request_timestamp(envelope.signature) for tsa in self._config.signing_config.get_tsas()]
            return self._logged(envelope, key), tuple(stamp.as_bytes() for stamp in stamps)

        return _with_timeout(self.longest_s, witnessed)

    def assured(self, bundle: bytes, signer: Signer, statement: bytes) -> bytes:
        """`bundle`, which whoever has this root will believe. Raises SigningFault: the services' part does not hold."""
        try:
            verify_bundle(bundle, [signer], root=self.root, predicate_type=read_statement(statement).predicate_type)
        except InvalidSignature as error:
            raise _service_fault(f"what they answered does not hold: {error}") from error
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
        check = "it is malformed, has expired, or is not meant for Sigstore"
        raise UnusableKey(subject="the identity token", check=check) from error


def _rekor_2(envelope: Envelope, key: PublicKey) -> dict[str, object]:
    verifier = {"publicKey": {"rawBytes": base64_text(key.der)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    sha256 = hashlib.sha256(envelope.signed_bytes()).digest()
    signature = {"content": base64_text(envelope.signature), "verifier": verifier}
    return {"hashedRekordRequestV002": {"digest": base64_text(sha256), "signature": signature}}


def _rekor_1(envelope: Envelope, key: PublicKey) -> dict[str, object]:
    spelt = {
        "payload": base64_text(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": base64_text(envelope.signature)}],
    }
    content = {"envelope": canonical_json(spelt).decode(), "verifiers": [base64_text(key.pem)]}
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": content}}


def _entry(answer: TransparencyLogEntry) -> LogEntry:
    document = read_json(answer._inner.to_json().encode(), subject=_LOG)  # the public type shows nothing of it
    return read_entry(Fields(document, subject=_LOG))


_LOG = "the log's answer"


# -- faults and time -------------------------------------------------------------------------------------------------


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
    """Turns whatever goes wrong between us and a service into SigningFault."""
    from sigstore._internal.fulcio.client import ExpiredCertificate, FulcioClientError
    from sigstore._internal.rekor import RekorClientError
    from sigstore._internal.timestamp import TimestampError
    from sigstore.errors import Error
    from sigstore.oidc import ExpiredIdentity

    answers = (Error, FulcioClientError, RekorClientError, TimestampError, ExpiredCertificate, ExpiredIdentity)
    try:
        yield
    except answers as error:
        raise _service_fault(f"it refused, or answered with nonsense: {_reason(error)}") from error
    except (OSError, ValueError, TypeError, LookupError) as error:  # OSError: `requests` has its own under it
        raise _service_fault(f"it could not be reached, or answered with nonsense: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return quoted(str(error) or str(error.__cause__ or type(error).__name__))


def _service_fault(check: str) -> SigningServiceError:
    return SigningServiceError(subject="a service of the trust configuration", check=check)


# -- Signing with a key: a Sigstore bundle that names the key and holds the signed statement.


def sign_with_key(statement: bytes, key: PrivateKey, *, trust_config: bytes | None = None) -> bytes:
    """The bundle, as JSON, in which `key` signs this in-toto statement.

    With a trust configuration, the signature is also entered in the log that it names, for policies that require a
    log entry; without one, no network is touched.

    Raises KeyUnusable (the trust configuration) or SigningFault (its services).
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


# -- Signing under an identity instead of a key: a certificate for minutes, a log entry, a time stamp.


def ambient_token() -> str | None:
    """The identity token of the CI job that this runs in, meant for Sigstore; None outside of one.

    Raises KeyUnusable: this is a job, and it may not have one.
    """
    from sigstore.oidc import IdentityError, detect_credential

    try:
        return detect_credential()
    except IdentityError as error:
        check = f"it cannot be had: {quoted(str(error).partition(chr(10))[0])}"
        remedy = "on GitHub the workflow needs the permission `id-token: write`; or hand a token in"
        raise UnusableKey(subject="the identity token of this CI job", check=check, remedy=remedy) from error


def sign_keyless(statement: bytes, token: str, trust_config: bytes) -> bytes:
    """The bundle, as JSON, in which the identity of `token` signs this in-toto statement.

    `trust_config` names the services and the root that their answers are checked with: what comes back passes
    `check_bundle` with that root.

    Raises:
        KeyUnusable: the token or the trust configuration cannot be used.
        SigningFault: a service refused, did not answer in time, or answered with something that does not hold.
    """
    services = Services.read(trust_config)
    bundle = read_bundle(services.sign(statement, token))
    assert isinstance(bundle.verifier, SigningCertificate)
    signer = IdentitySigner(*identity_in(bundle.verifier.der))
    return services.assured(bundle_json(bundle), signer, statement)
