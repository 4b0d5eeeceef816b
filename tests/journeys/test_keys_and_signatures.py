"""Keys, and signatures over any file or digest, through the command line."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync_oci.digest import Digest
from tests.builders.bundle_machines import NAME, Site, a_publisher, a_receiver, put_policy
from tests.builders.command_line import snapshot
from tests.builders.screens import inside
from tests.builders.signatures import CI, a_keyless_bundle, a_keyless_message_bundle, a_statement
from tests.real.sigstore_stack import SigstoreStack


@pytest.fixture
def publisher(tmp_path: Path) -> Site:
    return a_publisher(tmp_path / "publisher")


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    return a_receiver(tmp_path / "receiver")


# -- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_pair_is_made_for_its_owner_alone_and_never_written_over(receiver: Site) -> None:
    document = receiver.run("keys", "generate", "--output", "keys/mine", "--json").document
    private = Path(document["private"])
    assert private.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED SIGSTORE PRIVATE KEY" in private.read_bytes()
    before = snapshot(receiver.directory)
    assert "never overwritten" in receiver.run("keys", "generate", "--output", "keys/mine", code=17).err
    private.unlink()
    assert "never overwritten" in receiver.run("keys", "generate", "--output", "keys/mine", code=17).err
    assert not private.exists()
    (receiver.directory / "keys/mine.key").write_bytes(before["keys/mine.key"][1])
    receiver.run("keys", "generate", "--output", "nowhere/mine", code=17)


def test_a_pass_phrase_may_be_empty_if_it_is_said_to_be(receiver: Site) -> None:
    receiver.run("keys", "generate", AGENT_SYNC_KEY_PASSWORD="")
    assert (receiver.directory / "agent-sync.key").is_file()


def test_a_wrong_pass_phrase_is_told_with_the_key_and_where_the_phrase_came_from(
    publisher: Site, tmp_path: Path
) -> None:
    words = ("push", f"oci:{tmp_path}/layout", "--name", NAME, "--sign", "--key", "release.key")
    said = publisher.run(*words, code=2, AGENT_SYNC_KEY_PASSWORD="wrong").err
    assert "key release.key" in said
    assert "wrong pass phrase (AGENT_SYNC_KEY_PASSWORD is set)" in said
    assert "AGENT_SYNC_KEY_PASSWORD is set" not in _at_a_terminal(publisher, words)


def _at_a_terminal(site: Site, words: tuple[str, ...]) -> str:
    """What is said to a person who types the wrong phrase."""
    return inside(site.machine, at_terminal=True, typed="wrong\n").run(*words).err


@pytest.mark.parametrize(("reference", "missing"), [("oci:./nope", "directory"), ("oci-archive:nope.tar", "file")])
def test_a_layout_or_archive_that_is_missing_is_said_to_be(receiver: Site, reference: str, missing: str) -> None:
    for words, code in ((("pull",), 2), (("bundle", "verify"), 2), (("bundle", "inspect"), 8)):
        said = receiver.run(*words, reference, code=code).err
        assert f"no such {missing}" in said
        assert "/./" not in said


# -- any signature ---------------------------------------------------------------------------------------------------


def test_any_signature_over_any_file_can_be_verified(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    """Here the one beside a bundle, over the bundle's index, which is a file in the layout."""
    layout = tmp_path / "layout"
    digest = publisher.publish(f"oci:{layout}")
    blobs = layout / "blobs/sha256"
    signature = next(path for path in blobs.iterdir() if b"cosign/sign/v1" in _payload(path))
    words = ("--signature", str(signature), "--key", "keys/release.pub")
    index = str(blobs / digest.removeprefix("sha256:"))
    assert "signed by keys/release.pub" in receiver.run("bundle", "verify", index, *words).out
    shutil.copy(index, tmp_path / "changed")
    with (tmp_path / "changed").open("ab") as file:
        file.write(b" ")
    receiver.run("bundle", "verify", str(tmp_path / "changed"), *words, code=6)
    put_policy(receiver, "other")
    receiver.run("bundle", "verify", index, "--signature", str(signature), "--key", "keys/other.pub", code=6)


def test_a_signature_can_be_verified_over_a_digest_alone(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest = publisher.publish(f"oci:{layout}")
    signature = next(path for path in (layout / "blobs/sha256").iterdir() if b"cosign/sign/v1" in _payload(path))
    words = ("bundle", "verify", "--signature", str(signature), "--key", "keys/release.pub")
    assert "signed by keys/release.pub" in receiver.run(*words, digest).out
    receiver.run(*words, "sha256:" + "0" * 64, code=6)


@pytest.mark.parametrize("sign", [a_keyless_bundle, a_keyless_message_bundle], ids=["in-toto", "message"])
def test_so_it_can_under_an_identity_with_a_trusted_root_from_a_file(
    sign: Callable[..., bytes], receiver: Site, sigstore: SigstoreStack
) -> None:
    digest = Digest.of(b"an artifact")
    signed = sign(sigstore, a_statement(digest=digest) if sign is a_keyless_bundle else b"an artifact")
    (receiver.directory / "signature.json").write_bytes(signed)
    (receiver.directory / "root.json").write_bytes(sigstore.trusted_root())
    words = ("--signature", "signature.json", "--identity", CI.identity, "--issuer", CI.issuer)
    found = receiver.run("bundle", "verify", *words, "--trusted-root", "root.json", "--json", digest).out
    assert json.loads(found)["signer"] == str(CI)
    receiver.run("bundle", "verify", *words, "--trusted-root", "root.json", Digest.of(b"another"), code=6)
    receiver.run("bundle", "verify", *words, digest, code=2)


@pytest.mark.parametrize("spelled", ["sha256:", "sha256:12", "sha256:" + "A" * 64, "sha256:" + "0" * 65])
def test_what_is_nearly_a_digest_is_neither_that_nor_a_file(receiver: Site, spelled: str) -> None:
    (receiver.directory / spelled).write_bytes(b"a file of that name")
    said = receiver.run("bundle", "verify", spelled, "--signature", "s", "--key", "keys/release.pub", code=2).err
    assert "not a SHA-256 digest" in said
    assert f"./{spelled}" in said


def _payload(path: Path) -> bytes:
    """What a Sigstore bundle signs; nothing for any other blob."""
    try:
        return base64.b64decode(json.loads(path.read_bytes())["dsseEnvelope"]["payload"])
    except (ValueError, KeyError, TypeError):
        return b""
