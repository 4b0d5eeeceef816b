"""Other people's clients on our bundles, and ours on what they leave: skopeo, oras, crane, cosign."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest

from agent_sync_oci.digest import Digest
from tests.builders.bundle_machines import NAME, RULES, Site, a_publisher, a_receiver, put_policy
from tests.real.components import require
from tests.real.cosign import Cosign
from tests.real.docker_registry import DockerRegistry
from tests.real.sigstore_stack import SigstoreStack

OUTPUTS = {".cursor/rules/a.md": RULES["a_md"], ".cursor/rules/b.md": RULES["b_md"]}
TAKE = ("--name", NAME, "--policy", "policy.yaml", "--write-lock")
KINDS = ("slsaprovenance1", "cyclonedx")
_CI, _ISSUER = "ci@example.test", "https://issuer.example.test"


@pytest.fixture
def publisher(tmp_path: Path) -> Site:
    return a_publisher(tmp_path / "publisher")


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    return a_receiver(tmp_path / "receiver")


@pytest.fixture
def repository(docker_registry: DockerRegistry, tmp_path: Path) -> str:
    """A repository of this test's own."""
    return f"{docker_registry.host}/{tmp_path.name.replace('_', '-').lower()}/agents"


def run(program: str, *words: str, code: int = 0) -> bytes:
    """What the program writes. It stays on loopback: what is not Python would not do that by itself."""
    nobody = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run([require(program), *words], env=os.environ | nobody, capture_output=True, check=False)
    assert ended.returncode == code, ended.stderr.decode()
    return ended.stdout


def takes(receiver: Site, place: str, *words: str) -> None:
    """Our pull takes the bundle from there, and sync does with it what it should."""
    receiver.run("pull", place, *(words or TAKE))
    receiver.run("sync", "--offline", "--frozen")
    assert receiver.machine.outputs() == OUTPUTS


# -- copying ---------------------------------------------------------------------------------------------------------


def test_skopeo_copies_a_bundle_from_place_to_place_and_its_digest_stays(
    publisher: Site, receiver: Site, repository: str, tmp_path: Path
) -> None:
    digest = publisher.publish(f"{repository}:v1")
    route = [f"docker://{repository}:v1", f"oci:{tmp_path}/layout:v1", f"docker://{repository}:v2"]
    insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
    for here, there in itertools.pairwise(route):
        run("skopeo", "--insecure-policy", "copy", "--all", "--quiet", *insecure, here, there)
    for place in (f"oci:{tmp_path}/layout:v1", f"{repository}:v2"):
        assert publisher.run("bundle", "inspect", place, "--json").document["digest"] == digest
    takes(receiver, f"{repository}:v2")  # in its registry the signature is found by the digest
    unsigned = a_receiver(tmp_path / "unsigned")  # skopeo leaves it behind, so that the digest has to vouch
    takes(unsigned, f"oci:{tmp_path}/layout:v1@{digest}", "--name", NAME, "--write-lock")


def test_crane_reads_and_copies_a_bundle(publisher: Site, receiver: Site, repository: str) -> None:
    digest = publisher.publish(f"{repository}:v1")
    assert run("crane", "digest", "--insecure", f"{repository}:v1").decode().strip() == digest
    assert Digest.of(run("crane", "manifest", "--insecure", f"{repository}:v1")) == digest
    part = publisher.run("bundle", "inspect", f"{repository}:v1", "--json").document["parts"][0]
    assert Digest.of(run("crane", "blob", "--insecure", f"{repository}@{part['layer']}")) == part["layer"]
    run("crane", "validate", "--insecure", "--fast", "--remote", f"{repository}:v1")
    run("crane", "copy", "--insecure", f"{repository}:v1", f"{repository}:crane")
    takes(receiver, f"{repository}:crane")


def test_oras_reads_and_copies_a_bundle_with_what_was_attached(
    publisher: Site, receiver: Site, repository: str, tmp_path: Path
) -> None:
    digest = publisher.publish(f"{repository}:v1")
    plain = "--plain-http"
    assert Digest.of(run("oras", "manifest", "fetch", plain, f"{repository}:v1")) == digest
    part = publisher.run("bundle", "inspect", f"{repository}:v1", "--json").document["parts"][0]
    fetched = tmp_path / "layer"
    run("oras", "blob", "fetch", plain, "--output", str(fetched), f"{repository}@{part['layer']}")
    assert Digest.of(fetched.read_bytes()) == part["layer"]
    found = json.loads(run("oras", "discover", plain, "--format", "json", f"{repository}:v1"))
    assert len(found.get("referrers") or found["manifests"]) == 3
    layout = tmp_path / "layout"
    run("oras", "cp", "--recursive", "--from-plain-http", "--to-oci-layout", f"{repository}:v1", f"{layout}:v1")
    takes(receiver, f"oci:{layout}:v1")
    run("oras", "cp", "--recursive", "--to-plain-http", "--from-oci-layout", f"{layout}:v1", f"{repository}-again:v1")
    receiver.run("bundle", "verify", f"{repository}-again:v1", "--name", NAME, "--policy", "policy.yaml")


# -- signatures ------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(cosign: Cosign, publisher: Site) -> Cosign:
    """`cosign` beside the publisher's key."""
    for name in ("release.key", "release.pub"):
        cosign.write(name, (publisher.directory / name).read_bytes())
    cosign.write("none.json", b'{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}')
    return cosign


def test_cosign_verifies_what_we_signed_with_a_key(publisher: Site, files: Cosign, repository: str) -> None:
    digest = publisher.publish(f"{repository}:v1")
    words = ("--key", "release.pub", "--insecure-ignore-tlog", "--allow-http-registry", f"{repository}@{digest}")
    assert "cosign claims were validated" in files.run("verify", *words)
    for kind in KINDS:
        assert "cosign claims were validated" in files.run("verify-attestation", "--type", kind, *words)
    files.run("generate-key-pair", "--output-key-prefix", "other")
    files.refuses("verify", "--key", "other.pub", *words[2:])


def test_cosign_verifies_what_we_signed_without_one(
    publisher: Site, files: Cosign, repository: str, sigstore: SigstoreStack
) -> None:
    publisher.put("services.json", sigstore.trust_config())
    files.write("root.json", sigstore.trusted_root())
    token = ("--identity-token", sigstore.token(_CI, _ISSUER))
    push = ("push", f"{repository}:v1", "--sign", "--trust-config", "services.json", *token, "--json")
    digest = publisher.run(*push).document["digest"]
    by = ("--certificate-identity", _CI, "--certificate-oidc-issuer", _ISSUER)
    given = (
        "--trusted-root",
        "root.json",
        "--use-signed-timestamps",
        "--allow-http-registry",
        f"{repository}@{digest}",
    )
    assert "cosign claims were validated" in files.run("verify", *by, *given)
    for kind in KINDS:
        assert "cosign claims were validated" in files.run("verify-attestation", "--type", kind, *by, *given)
    files.refuses("verify", "--certificate-identity", "other@example.test", *by[2:], *given)


def test_cosign_verifies_a_layout_directory(publisher: Site, files: Cosign, tmp_path: Path) -> None:
    publisher.publish(f"oci:{tmp_path}/layout")
    words = ("--local-image", "--key", "release.pub", "--insecure-ignore-tlog", str(tmp_path / "layout"))
    assert "cosign claims were validated" in files.run("verify", *words)


def test_we_take_what_cosign_signed_with_a_key_of_ours(
    publisher: Site, receiver: Site, files: Cosign, repository: str
) -> None:
    """Its statement names nobody; the name is the one in the bundle that it signs."""
    words = ("push", f"{repository}:v1", "--name", NAME, "--json")
    digest = publisher.run(*words).document["digest"]
    verify = ("bundle", "verify", f"{repository}:v1", "--name", NAME, "--policy", "policy.yaml")
    receiver.run(*verify, code=6)
    files.write("agent-sync.key", files.read("release.key"))
    _sign(files, "agent-sync.key", f"{repository}@{digest}")
    receiver.run(*verify)
    takes(receiver, f"{repository}:v1")
    put_policy(receiver, "release", bundle="other/name")
    receiver.run("bundle", "verify", f"{repository}:v1", "--name", "other/name", "--policy", "policy.yaml", code=6)


def test_a_key_of_cosign_signs_our_bundles(publisher: Site, receiver: Site, files: Cosign, repository: str) -> None:
    files.run("generate-key-pair", "--output-key-prefix", "theirs")
    publisher.put("theirs.key", files.read("theirs.key"))
    receiver.put("keys/release.pub", files.read("theirs.pub"))
    publisher.run("push", f"{repository}:v1", "--name", NAME, "--sign", "--key", "theirs.key")
    takes(receiver, f"{repository}:v1")


def _sign(files: Cosign, key: str, reference: str) -> None:
    files.run("sign", "--key", key, "--yes", "--signing-config", "none.json", "--allow-http-registry", reference)
