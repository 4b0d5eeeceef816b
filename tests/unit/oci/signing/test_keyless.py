"""Signing under an identity, against a Sigstore on loopback; and what is said when that does not work."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from agent_sync_oci.errors import SigningServiceError, UnusableKey
from agent_sync_oci.signing.sign import Services, ambient_token, sign_keyless, sign_with_key
from agent_sync_oci.signing.signers import IdentitySigner
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_bundle
from tests.builders.signatures import a_key, a_statement, an_envelope
from tests.real.http_server import Reply, Request, serve
from tests.real.sigstore_stack import SigstoreStack, serve_sigstore

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig

_JOB = "https://github.com/acme/agents/.github/workflows/release.yml@refs/heads/main"
_GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def own_sigstore() -> Iterator[SigstoreStack]:
    """One that may be broken."""
    with serve_sigstore() as stack:
        yield stack


@pytest.mark.parametrize(("rekor", "stamped"), [(1, False), (1, True), (2, True)])
def test_an_identity_signs(sigstore: SigstoreStack, rekor: int, stamped: bool) -> None:
    token = sigstore.token("ci@example.test", "https://issuer.example.test")
    bundle = sign_keyless(a_statement(), token, sigstore.trust_config(rekor=rekor, stamped=stamped))
    signer = IdentitySigner("ci@example.test", "https://issuer.example.test")
    assert verify_bundle(bundle, [signer], root=TrustedRoot.read(sigstore.trusted_root())).logged


def test_a_workflow_of_github_signs(sigstore: SigstoreStack) -> None:
    claims = {"repository": "acme/agents", "ref": "refs/heads/main", "event_name": "push", "sha": "ab" * 20}
    bundle = sign_keyless(a_statement(), sigstore.token(_JOB, _GITHUB, **claims), sigstore.trust_config())
    root = TrustedRoot.read(sigstore.trusted_root())
    assert verify_bundle(bundle, [IdentitySigner(_JOB, _GITHUB)], root=root).logged


@pytest.mark.parametrize("token", ["", "no token", "a.b.c"])
def test_a_malformed_token_is_said_to_be_none(sigstore: SigstoreStack, token: str) -> None:
    with pytest.raises(UnusableKey, match="identity token") as caught:
        sign_keyless(a_statement(), token, sigstore.trust_config())
    assert token not in str(caught.value) or not token


@pytest.mark.parametrize(("claim", "value"), [("exp", 1), ("nbf", 2**40), ("aud", "another")])
def test_a_token_of_another_time_or_for_another_service_is_refused(
    sigstore: SigstoreStack, claim: str, value: str | int
) -> None:
    token = sigstore.token(_JOB, _GITHUB, **{claim: value})
    with pytest.raises(UnusableKey, match="expired"):
        sign_keyless(a_statement(), token, sigstore.trust_config())


@pytest.mark.parametrize(
    "config", [b"", b"{}", b"[]", b"\xff", b'{"a": 1, "a": 2}', b'{"mediaType": "application/json"}']
)
def test_what_is_no_trust_configuration_is_refused(config: bytes) -> None:
    with pytest.raises(UnusableKey, match="trust configuration"):
        sign_keyless(a_statement(), "token", config)


def test_a_trust_configuration_without_services_in_use_is_refused(sigstore: SigstoreStack) -> None:
    document = json.loads(sigstore.trust_config())
    document["signingConfig"]["caUrls"] = []
    with pytest.raises(UnusableKey, match="Fulcio"):
        sign_keyless(a_statement(), sigstore.token(), json.dumps(document).encode())


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v2/log/entries", "/api/v1/timestamp"])
def test_a_service_that_refuses_is_named_as_the_reason(own_sigstore: SigstoreStack, path: str) -> None:
    own_sigstore.failing.add(path)
    with pytest.raises(SigningServiceError):
        sign_keyless(a_statement(), own_sigstore.token(), own_sigstore.trust_config())


@pytest.mark.parametrize("path", ["/api/v2/log/entries", "/api/v1/timestamp"])
def test_a_log_that_refuses_what_a_key_signed_is_named_as_the_reason(own_sigstore: SigstoreStack, path: str) -> None:
    own_sigstore.failing.add(path)
    with pytest.raises(SigningServiceError):
        sign_with_key(a_statement(), a_key(), trust_config=own_sigstore.trust_config())


def test_a_service_that_is_not_there_is_said_not_to_be(sigstore: SigstoreStack) -> None:
    config = sigstore.trust_config().replace(sigstore.url.encode(), b"http://127.0.0.1:9")
    with pytest.raises(SigningServiceError, match="not reachable"):
        sign_keyless(a_statement(), sigstore.token(), config)


def test_a_service_that_never_answers_is_not_waited_for_for_ever(sigstore: SigstoreStack) -> None:
    given_up = threading.Event()

    def never(_request: Request, _reply: Reply) -> None:
        given_up.wait(30)

    with serve(never) as server:
        config = sigstore.trust_config().replace(sigstore.url.encode(), server.url.encode())
        services = replace(Services.read(config), longest_s=0.3)
        with pytest.raises(SigningServiceError, match=r"no answer in 0\.3 s"):
            services.sign(a_statement(), sigstore.token())
        given_up.set()


class _Broken:
    """A configuration that fails in a way that nobody foresaw."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @property
    def signing_config(self) -> object:
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), RecursionError(), MemoryError(), SystemExit(3)])
def test_whatever_the_work_raises_is_raised_in_the_caller(sigstore: SigstoreStack, error: BaseException) -> None:
    broken = cast("ClientTrustConfig", _Broken(error))
    services = replace(Services.read(sigstore.trust_config()), _config=broken, longest_s=30)
    with pytest.raises(type(error)) as caught:
        services.witness(an_envelope(key := a_key(), b"{}"), key.public)
    assert caught.value is error


def test_services_whose_answers_the_root_does_not_believe_sign_nothing(
    sigstore: SigstoreStack, own_sigstore: SigstoreStack
) -> None:
    """What comes back would be refused by everybody else, so it is refused here."""
    document = json.loads(sigstore.trust_config())
    document["trustedRoot"] = json.loads(own_sigstore.trusted_root())
    with pytest.raises(SigningServiceError):
        sign_keyless(a_statement(), sigstore.token(), json.dumps(document).encode())
    with pytest.raises(SigningServiceError, match="does not hold"):
        sign_with_key(a_statement(), a_key(), trust_config=json.dumps(document).encode())


def test_outside_of_a_job_there_is_no_token() -> None:
    assert ambient_token() is None


def test_a_job_of_github_has_a_token(sigstore: SigstoreStack) -> None:
    token = sigstore.token(_JOB, _GITHUB)

    def answer(request: Request, reply: Reply) -> None:
        assert request.query == "api-version=2.0&audience=sigstore"
        assert request.headers["authorization"] == "bearer of the job"
        body = json.dumps({"value": token}).encode()
        reply.send(200, {"Content-Length": str(len(body))}, [body])

    with serve(answer) as server:
        os.environ["GITHUB_ACTIONS"] = "true"
        os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "of the job"
        os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{server.url}/token?api-version=2.0"
        assert ambient_token() == token


def test_a_job_that_may_not_have_a_token_is_told_what_it_lacks() -> None:
    os.environ["GITHUB_ACTIONS"] = "true"
    with pytest.raises(UnusableKey, match="not available") as caught:
        ambient_token()
    assert caught.value.remedy is not None
    assert "id-token: write" in caught.value.remedy
