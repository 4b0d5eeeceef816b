"""A token server for registries (distribution's token authentication): who knows the password gets what he asks for."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import trustme
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.real.answers import a_status
from tests.real.http_server import HttpServer, Reply, Request, serve

ISSUER = "the tests"
SERVICE = "registry of the tests"


@dataclass(frozen=True, slots=True)
class TokenServer:
    """`realm` is its address, `authority_file` the certificate that a registry has to trust."""

    server: HttpServer
    authority_file: Path

    @property
    def realm(self) -> str:
        return f"{self.server.url}/token"

    @property
    def host(self) -> str:
        return self.server.url.partition("://")[2]


@contextmanager
def serve_tokens(directory: Path, *, user: str, password: str) -> Iterator[TokenServer]:
    """Tokens that a real registry believes. Nobody's token allows nothing; a wrong password is refused."""
    authority = trustme.CA()
    authority_file = directory / "token-authority.pem"
    authority.cert_pem.write_to_path(str(authority_file))
    signer = authority.issue_cert("tokens.example")
    key = load_pem_private_key(signer.private_key_pem.bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    certificate = b"".join(signer.cert_chain_pems[0].bytes().splitlines()[1:-1]).decode()
    login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def answer(request: Request, reply: Reply) -> None:
        given = request.headers.get("authorization")
        if given not in (None, login):
            a_status(401)(request, reply)
            return
        scopes = parse_qs(request.query).get("scope", []) if given == login else []
        token = _signed({"typ": "JWT", "alg": "ES256", "x5c": [certificate]}, _claims(scopes), key)
        a_status(200, headers={"Content-Type": "application/json"}, body=json.dumps({"token": token}).encode())(
            request, reply
        )

    with serve(answer) as server:
        yield TokenServer(server, authority_file)


def _claims(scopes: list[str]) -> dict[str, object]:
    now = int(time.time())
    access = []
    for scope in (each for text in scopes for each in text.split(" ")):
        kind, name, actions = scope.split(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    times = {"iat": now, "nbf": now - 5, "exp": now + 300}
    return {"iss": ISSUER, "sub": "somebody", "aud": SERVICE, "jti": "1", "access": access, **times}


def _signed(header: dict[str, object], claims: dict[str, object], key: EllipticCurvePrivateKey) -> str:
    """RFC 7515 §3.1, with ES256."""
    signed = f"{_packed(header)}.{_packed(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _packed(value: dict[str, object]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
