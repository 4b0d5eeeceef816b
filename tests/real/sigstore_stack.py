"""A whole Sigstore on loopback: certificates, transparency logs of both generations, time stamps.

Its certificates, signed certificate timestamps, Merkle proofs, checkpoints and time stamps are real; only who somebody
is, is believed without proof (a token is taken as it is).
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import NameOID

from tests.real.http_server import Reply, Request, serve
from tests.real.sigstore_authority import CertificateAuthority, certificate_der, now, public_der
from tests.real.sigstore_log import Json, Log, Rekor1, Rekor2, b64
from tests.real.sigstore_time import TimeStampAuthority

_NAME = "127.0.0.1"  # what sigstore-go makes of the address of a log: its host, without the port
_EC = "PKIX_ECDSA_P256_SHA_256"


@dataclass(frozen=True)
class SigstoreStack:
    """`url`: all its services. `failing`: paths that answer 500."""

    url: str
    start: datetime
    authority: CertificateAuthority
    time: TimeStampAuthority
    rekor1: Rekor1 = field(default_factory=lambda: Rekor1(_NAME))
    rekor2: Rekor2 = field(default_factory=lambda: Rekor2(_NAME))
    failing: set[str] = field(default_factory=set)

    def trusted_root(self) -> bytes:
        """The trusted root in JSON (protobuf-specs, sigstore_trustroot.proto)."""
        return json.dumps(self._trusted_root()).encode()

    def trust_config(self, *, rekor: int = 2, stamped: bool = True) -> bytes:
        """What `sigstore` signs with: services and root."""
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                "trustedRoot": self._trusted_root(),
                "signingConfig": json.loads(self.signing_config(rekor=rekor, stamped=stamped)),
            }
        ).encode()

    def signing_config(self, *, rekor: int = 2, stamped: bool = True) -> bytes:
        """What `cosign --signing-config` reads."""
        stamps = {"tsaUrls": self._service("/api/v1/timestamp", 1), "tsaConfig": {"selector": "ANY"}}
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": self._service("", 1),
                "oidcUrls": self._service("/oidc", 1),
                "rekorTlogUrls": self._service("", rekor),
                "rekorTlogConfig": {"selector": "ANY"},
                **(stamps if stamped else {}),
            }
        ).encode()

    def token(
        self, subject: str = "ci@example.test", issuer: str = "https://issuer.example.test", **claims: str | int
    ) -> str:
        """An identity token; the authority believes it."""
        clock = int(time.time())
        said = {
            "iss": issuer,
            "sub": subject,
            "aud": "sigstore",
            "iat": clock - 1,
            "nbf": clock - 1,
            "exp": clock + 600,
        }
        return jwt.encode(said | claims, _PROVIDER, algorithm="ES256")

    def _trusted_root(self) -> Json:
        ct_key = public_der(self.authority.ct_key)
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log(each.key, each.log_id, each.key_details) for each in self._logs()],
            "certificateAuthorities": [self._chain(self.authority.intermediate, self.authority.root)],
            "ctlogs": [self._log(ct_key, hashlib.sha256(ct_key).digest(), _EC)],
            "timestampAuthorities": [self._chain(*self.time.chain)],
        }

    def _logs(self) -> tuple[Log, ...]:
        return self.rekor1, self.rekor2

    def _log(self, key: bytes, log_id: bytes, details: str) -> Json:
        public = {"rawBytes": b64(key), "keyDetails": details, "validFor": self._valid()}
        return {"baseUrl": self.url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": b64(log_id)}}

    def _chain(self, *certificates: x509.Certificate) -> Json:
        (name,) = certificates[-1].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return {
            "subject": {"organization": "fake.dev", "commonName": name.value},
            "uri": self.url,
            "certChain": {"certificates": [{"rawBytes": b64(certificate_der(each))} for each in certificates]},
            "validFor": self._valid(),
        }

    def _service(self, path: str, version: int) -> list[Json]:
        return [{"url": self.url + path, "majorApiVersion": version, "validFor": self._valid(), "operator": "fake.dev"}]

    def _valid(self) -> Json:
        return {"start": self.start.isoformat().replace("+00:00", "Z")}

    # -- over HTTP ---------------------------------------------------------------------------------------------------

    def answer(self, request: Request, reply: Reply) -> None:
        """What the service at this path answers."""
        routes = {
            "/api/v2/signingCert": self._issue,
            "/api/v1/log/entries": self._log_in_1,
            "/api/v2/log/entries": self._log_in_2,
            "/api/v1/timestamp": self._stamp,
        }
        respond = routes.get(request.path)
        if request.path in self.failing:
            answer = _Answer(500, b'{"message": "out of order"}')
        elif respond is None:
            answer = _Answer(404, b'{"message": "no such service"}')
        else:
            answer = respond(request)
        length = {"Content-Length": str(len(answer.body))}
        reply.send(answer.status, {**answer.headers, **length}, [answer.body])

    def _issue(self, request: Request) -> _Answer:
        asked = json.loads(request.body)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = bearer or asked["credentials"]["oidcIdentityToken"]
        claims = jwt.decode(token, options={"verify_signature": False})
        identity = claims.get("email") or claims["sub"]
        leaf = self.authority.issue(_key_of(asked, identity), [identity], claims["iss"], claims=claims)
        chain = [leaf, self.authority.intermediate, self.authority.root]
        pems = [each.public_bytes(Encoding.PEM).decode() for each in chain]
        return _Answer(200, _json({"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}}))

    def _log_in_1(self, request: Request) -> _Answer:
        entry = self.rekor1.answer(json.loads(request.body))
        (name,) = entry
        return _Answer(201, _json(entry), {**_JSON, "ETag": name, "Location": f"/api/v1/log/entries/{name}"})

    def _log_in_2(self, request: Request) -> _Answer:
        return _Answer(201, _json(self.rekor2.answer(json.loads(request.body))))

    def _stamp(self, request: Request) -> _Answer:
        return _Answer(200, self.time.answer(request.body), {"Content-Type": "application/timestamp-reply"})


_JSON = {"Content-Type": "application/json"}
_PROVIDER = ec.generate_private_key(ec.SECP256R1())  # of the identity provider; nobody checks its signatures


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)


def _key_of(asked: Json, identity: str) -> ec.EllipticCurvePublicKey:
    """The key to be certified, whose private half the client has shown to have: in either of Fulcio's two ways."""
    if "certificateSigningRequest" in asked:
        csr = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        requested = csr.public_key()
        assert csr.is_signature_valid
        assert isinstance(requested, ec.EllipticCurvePublicKey)
        return requested
    request = asked["publicKeyRequest"]
    key = load_pem_public_key(request["publicKey"]["content"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(request["proofOfPossession"]), identity.encode(), ec.ECDSA(SHA256()))
    return key


def _json(document: Json) -> bytes:
    return json.dumps(document).encode()


@contextmanager
def serve_sigstore() -> Iterator[SigstoreStack]:
    """A stack of its own, whose certificates are an hour old; gone at the end of the block."""
    start = now() - timedelta(hours=1)
    with tempfile.TemporaryDirectory() as directory:
        stack = SigstoreStack("", start, CertificateAuthority(start), TimeStampAuthority(Path(directory), start))
        with serve(stack.answer) as server:
            yield replace(stack, url=server.url)
