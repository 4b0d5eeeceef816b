"""`@sigstore/verify` from npm, a third reading of the same format, agrees with us about what we make."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync_oci.signing.sign import sign_keyless, sign_with_key
from tests.builders.signatures import a_key, a_statement, with_field
from tests.real.components import require, require_node_packages
from tests.real.sigstore_stack import SigstoreStack

_PROGRAM = Path(__file__).with_name("verify_bundle.cjs")
_CI = ("ci@example.test", "https://issuer.example.test")
_EACH_LOG = pytest.mark.parametrize("rekor", [1, 2])

Verify = Callable[..., str]


@pytest.fixture
def verify(tmp_path: Path, sigstore: SigstoreStack) -> Verify:
    """What it says of a bundle that must have so many log entries and times."""
    packages = require_node_packages()
    (tmp_path / "root.json").write_bytes(sigstore.trusted_root())

    def said(bundle: bytes, *asked: str, witnesses: int) -> str:
        (tmp_path / "bundle.json").write_bytes(bundle)
        words = [str(_PROGRAM), "root.json", "bundle.json", "-", *asked, str(witnesses), str(witnesses)]
        environment = {"NODE_PATH": str(packages)}
        ended = subprocess.run(
            [require("node"), *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.stderr == ""
        return ended.stdout.strip()

    return said


def test_it_takes_what_a_key_signs(verify: Verify, tmp_path: Path) -> None:
    key, other = a_key(), a_key()
    (tmp_path / "key.pub").write_bytes(key.public.pem)
    assert verify(sign_with_key(a_statement(), key), "key", "key.pub", witnesses=0) == "verified"
    assert verify(sign_with_key(a_statement(), other), "key", "key.pub", witnesses=0).startswith("refused")


@_EACH_LOG
def test_it_takes_what_a_key_signs_into_a_log(
    verify: Verify, tmp_path: Path, sigstore: SigstoreStack, rekor: int
) -> None:
    key = a_key()
    (tmp_path / "key.pub").write_bytes(key.public.pem)
    bundle = sign_with_key(a_statement(), key, trust_config=sigstore.trust_config(rekor=rekor, stamped=rekor == 2))
    assert verify(bundle, "key", "key.pub", witnesses=1) == "verified"
    forged = with_field(bundle, "verificationMaterial.tlogEntries.0.inclusionProof.hashes.0", "A" * 43 + "=")
    assert verify(forged, "key", "key.pub", witnesses=1).startswith("refused")


@_EACH_LOG
def test_it_takes_what_an_identity_signs(verify: Verify, sigstore: SigstoreStack, rekor: int) -> None:
    config = sigstore.trust_config(rekor=rekor, stamped=rekor == 2)
    bundle = sign_keyless(a_statement(), sigstore.token(*_CI), config)
    assert verify(bundle, "identity", *_CI, witnesses=1) == "verified"
    assert verify(bundle, "identity", "other@example.test", _CI[1], witnesses=1).startswith("refused")
