"""Bundles signed without a key, or with one and into a log, at a Sigstore on loopback; verified without a network."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.builders.bundle_machines import NAME, Site, a_publisher, a_receiver
from tests.real.http_server import Reply, Request, serve
from tests.real.sigstore_stack import SigstoreStack

_CI, _ISSUER = "ci@example.test", "https://issuer.example.test"


@pytest.fixture
def publisher(tmp_path: Path, sigstore: SigstoreStack) -> Site:
    """It has a trust configuration."""
    site = a_publisher(tmp_path / "publisher")
    site.put("services.json", sigstore.trust_config())
    return site


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    return a_receiver(tmp_path / "receiver")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"oci-archive:{tmp_path}/agents.tar"


def push(publisher: Site, place: str, *more: str, code: int = 0) -> str:
    words = ("push", place, "--name", NAME, "--sign", "--trust-config", "services.json", *more)
    told = publisher.run(*words, code=code)
    return told.out + told.err


def demand(receiver: Site, root: str, *, identity: str = _CI, issuer: str = _ISSUER, key: str | None = None) -> None:
    """A policy that names this identity, or the key, and says with `root` which trusted root counts."""
    signer = f"{{identity: '{identity}', issuer: '{issuer}'}}" if key is None else f"{{key: {key}}}"
    receiver.put("policy.yaml", f"trust:\n  {root}\n  rules:\n  - {{bundle: '{NAME}', signers: [{signer}]}}\n")


def pull(receiver: Site, place: str, code: int = 0) -> str:
    told = receiver.run(
        "pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock", "--offline", code=code
    )
    return told.out + told.err


def test_an_identity_signs_and_whoever_trusts_it_takes_the_bundle(
    publisher: Site, receiver: Site, place: str, sigstore: SigstoreStack
) -> None:
    push(publisher, place, "--identity-token", sigstore.token(_CI, _ISSUER))
    receiver.put("root.json", sigstore.trusted_root())
    for identity, issuer in [
        ("other@example.test", _ISSUER),
        (_CI, "https://evil.example.test"),
        (f"{_CI}.evil", _ISSUER),
    ]:
        demand(receiver, "root: root.json", identity=identity, issuer=issuer)
        pull(receiver, place, code=6)
    demand(receiver, "root: root.json")
    pull(receiver, place)
    receiver.run("sync", "--offline", "--frozen", "--policy", "policy.yaml")
    assert f"claimed signer: {_CI}" in receiver.run("bundle", "inspect", place).out
    asked = ("--identity", _CI, "--issuer", _ISSUER, "--trusted-root", "root.json")
    receiver.run("bundle", "verify", place, "--name", NAME, *asked)
    receiver.run("bundle", "verify", place, "--name", NAME, *asked[:4], code=2)  # checked against what?


def test_the_trusted_root_travels_with_the_bundle_for_whoever_has_pinned_it(
    publisher: Site, receiver: Site, place: str, sigstore: SigstoreStack
) -> None:
    root = sigstore.trusted_root()
    publisher.put("root.json", root)
    publisher.put(
        "agent-sync.yaml", (publisher.directory / "agent-sync.yaml").read_text() + "trust: {root: root.json}\n"
    )
    push(publisher, place, "--identity-token", sigstore.token(_CI, _ISSUER))
    demand(receiver, f"root_sha256: sha256:{sha256(root + b' ').hexdigest()}")
    assert "is missing" in pull(receiver, place, code=6)
    demand(receiver, f"root_sha256: sha256:{sha256(root).hexdigest()}")
    pull(receiver, place)
    receiver.run("sync", "--offline", "--frozen", "--policy", "policy.yaml")


def test_a_root_that_was_swapped_is_refused(
    publisher: Site, receiver: Site, place: str, sigstore: SigstoreStack
) -> None:
    push(publisher, place, "--identity-token", sigstore.token(_CI, _ISSUER))
    receiver.put("root.json", sigstore.trusted_root())
    demand(receiver, f"root: root.json\n  root_sha256: sha256:{'0' * 64}")
    assert "differs from the pinned" in pull(receiver, place, code=6)


@pytest.mark.parametrize("where", ["SIGSTORE_ID_TOKEN", "GitHub"])
def test_the_token_may_come_from_the_environment(
    publisher: Site, receiver: Site, place: str, sigstore: SigstoreStack, where: str
) -> None:
    token = sigstore.token(_CI, _ISSUER)

    def give(request: Request, reply: Reply) -> None:
        assert request.headers["authorization"] == "bearer the job's"
        body = json.dumps({"value": token}).encode()
        reply.send(200, {"Content-Type": "application/json", "Content-Length": str(len(body))}, [body])

    if where == "GitHub":
        with serve(give) as server:
            os.environ["GITHUB_ACTIONS"] = "true"
            os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "the job's"
            os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{server.url}/token?x=y"
            push(publisher, place)
    else:
        publisher.machine.variables["SIGSTORE_ID_TOKEN"] = token
        push(publisher, place)
    receiver.put("root.json", sigstore.trusted_root())
    demand(receiver, "root: root.json")
    pull(receiver, place)


def test_a_key_signs_into_a_log_and_a_policy_may_demand_that(
    publisher: Site, receiver: Site, place: str, sigstore: SigstoreStack
) -> None:
    receiver.put("root.json", sigstore.trusted_root())
    demand(receiver, "root: root.json", key="keys/release.pub")
    publisher.publish(place)
    assert "in no transparency log" in pull(receiver, place, code=6)
    push(publisher, place, "--key", "release.key")
    pull(receiver, place)


@pytest.mark.parametrize(
    ("token", "services", "code", "says"),
    [
        (None, None, 2, "no identity token was given"),
        ("nonsense", None, 2, "malformed"),
        ("expired", None, 2, "expired"),
        ("good", b"{}", 2, "trust configuration"),
        ("good", b"not JSON", 2, "trust configuration"),
    ],
)
def test_what_cannot_be_signed_with_is_wrong_usage(
    publisher: Site,
    place: str,
    sigstore: SigstoreStack,
    token: str | None,
    services: bytes | None,
    code: int,
    says: str,
) -> None:
    if services is not None:
        publisher.put("services.json", services)
    tokens = {"good": sigstore.token(), "expired": sigstore.token(exp=1), "nonsense": "nonsense"}
    given = [] if token is None else ["--identity-token", tokens[token]]
    assert says in push(publisher, place, *given, code=code)
    assert not Path(place.removeprefix("oci-archive:")).exists()


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v2/log/entries", "/api/v1/timestamp"])
def test_a_service_that_is_out_of_order_is_8_and_nothing_is_published(
    publisher: Site, place: str, sigstore: SigstoreStack, path: str
) -> None:
    sigstore.failing.add(path)
    try:
        told = push(publisher, place, "--identity-token", sigstore.token(), code=8)
    finally:
        sigstore.failing.clear()
    assert "a service of the trust configuration" in told
    assert not Path(place.removeprefix("oci-archive:")).exists()
