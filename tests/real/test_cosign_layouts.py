"""`cosign verify --local-image` finds and checks the signatures in our layout directories, with no registry."""

from __future__ import annotations

import pytest

from agent_sync_oci.manifest import SIGSTORE_BUNDLE, Index, Manifest
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.keys import KeyPair, generate, load_private
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.statement import COSIGN_SIGN, Statement, Subject, statement_bytes
from agent_sync_oci.transfer.copy import copy
from agent_sync_oci.transfer.referrers import attach
from tests.builders.artifacts import a_manifest, put_artifact, put_blob, put_index
from tests.real.cosign import Cosign

MINE, THEIRS = generate(b"mine"), generate(b"theirs")
VERIFY = ("verify", "--local-image", "--insecure-ignore-tlog=true", "--key")


def sign(registry: Registry, signed: Manifest | Index, keys: KeyPair, *, pass_phrase: bytes) -> None:
    """A real signature of it lies beside it."""
    statement = Statement((Subject("acme/agents", signed.digest.hex),), COSIGN_SIGN, {})
    bundle = sign_with_key(statement_bytes(statement), load_private(keys.private_pem, lambda: pass_phrase))
    layer = put_blob(registry, bundle, SIGSTORE_BUNDLE)
    attach(registry, a_manifest(layer, artifact_type=SIGSTORE_BUNDLE, subject=signed.descriptor))


@pytest.fixture
def source() -> MemoryRegistry:
    """An index at the tag `v1`, signed with MINE, and an artifact of it, signed with THEIRS."""
    registry = MemoryRegistry()
    child = put_artifact(registry, b"one", tag="a-child")
    index = put_index(registry, child, tag="v1")
    sign(registry, child, THEIRS, pass_phrase=b"theirs")
    sign(registry, index, MINE, pass_phrase=b"mine")
    return registry


def test_a_signed_index_in_a_layout_is_what_cosign_checks(cosign: Cosign, source: MemoryRegistry) -> None:
    with LayoutRegistry(str(cosign.directory / "layout")) as layout:
        copy(source, layout, source.manifest("v1").digest, with_referrers=True, tag="v1")
        layout.put_manifest(source.manifest("a-child"), tag="a-child")
    assert "verified against the specified public key" in cosign.run(*VERIFY, _public(cosign, MINE), "layout")
    cosign.refuses(*VERIFY, _public(cosign, THEIRS), "layout")


def test_an_index_that_is_not_signed_is_refused_by_cosign_as_well(cosign: Cosign, source: MemoryRegistry) -> None:
    with LayoutRegistry(str(cosign.directory / "layout")) as layout:
        copy(source, layout, source.manifest("v1").digest, with_referrers=False, tag="v1")
    cosign.refuses(*VERIFY, _public(cosign, MINE), "layout")


def _public(cosign: Cosign, keys: KeyPair) -> str:
    return cosign.write("key.pub", keys.public_pem)
