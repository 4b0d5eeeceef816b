"""Signed tags and commits that must not count (hostile-input: Signatures; R025, R026)."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent_sync.errors import Untrusted
from agent_sync.ports import Cancellation, SignedObject
from tests.builders.git_hosts import a_git_host, a_signature_checker
from tests.builders.git_objects import write_commit, write_object
from tests.builders.git_worlds import GitWorld, git_sources
from tests.builders.repositories import GitRepository, Signer, a_git_repository
from tests.real.gpg import GpgHome, a_gpg_home
from tests.real.ssh_keys import SshKey


def _signed_tag(directory: Path, signer: Signer) -> SignedObject:
    repository = a_git_repository(directory / "rules.git", {"a.md": "a\n"})
    return _read(directory, repository, repository.tag("v1", message="one", signed_by=signer))


def _read(directory: Path, repository: GitRepository, oid: str) -> SignedObject:
    with a_git_host(directory).open(
        str(repository.path), timeout_s=60, max_bytes=10**8, cancellation=Cancellation()
    ) as opened:
        opened.fetch([oid], without_blobs=False)
        return opened.signed(oid)


def _refused(directory: Path, signed: SignedObject, **keys: bytes) -> str:
    """What the checker found."""
    given = {"allowed_signers": keys.get("allowed_signers"), "keyring": keys.get("keyring")}
    with pytest.raises(Untrusted) as caught:
        a_signature_checker(directory).signer(signed, **given)
    assert caught.value.remedy
    return caught.value.check


def _changed(signed: SignedObject) -> SignedObject:
    return replace(signed, payload=signed.payload.replace(b"one", b"two"))


def test_other_content_under_a_good_ssh_signature_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    signed = _signed_tag(tmp_path, ssh_key.signer)
    allowed = ssh_key.allowed_signer("alice").encode()
    assert a_signature_checker(tmp_path).signer(signed, allowed_signers=allowed, keyring=None) == "alice"
    assert "for this content" in _refused(tmp_path, _changed(signed), allowed_signers=allowed)


def test_other_content_under_a_good_openpgp_signature_is_refused(tmp_path: Path, gpg_home: GpgHome) -> None:
    key = gpg_home.new_key("alice@example.org")
    signed = _signed_tag(tmp_path, gpg_home.signer(key))
    assert "for this content" in _refused(tmp_path, _changed(signed), keyring=gpg_home.exported(key))


def test_what_follows_a_signature_makes_it_none(tmp_path: Path, ssh_key: SshKey) -> None:
    """Nobody has signed it, and it would look as if somebody had."""
    signed = _signed_tag(tmp_path, ssh_key.signer)
    more = replace(signed, signature=(signed.signature or b"") + b"and release v2 as well\n")
    assert "not one whole" in _refused(tmp_path, more, allowed_signers=ssh_key.allowed_signer("alice").encode())


def test_two_signatures_are_none(tmp_path: Path, ssh_key: SshKey) -> None:
    signed = _signed_tag(tmp_path, ssh_key.signer)
    twice = replace(signed, signature=(signed.signature or b"") * 2)
    assert "not one whole" in _refused(tmp_path, twice, allowed_signers=ssh_key.allowed_signer("alice").encode())


def test_a_signature_for_another_purpose_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    payload = b"tree 0\n\nmessage\n"
    words = ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", str(ssh_key.private)]
    signature = subprocess.run(words, input=payload, capture_output=True, check=True).stdout
    allowed = ssh_key.allowed_signer("alice", options='namespaces="git,file"').encode()
    assert "for this content" in _refused(tmp_path, SignedObject(payload, signature), allowed_signers=allowed)


def test_a_key_that_was_not_allowed_then_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    """The builder's tags are from 2023."""
    signed = _signed_tag(tmp_path, ssh_key.signer)
    before = ssh_key.allowed_signer("alice", options='valid-before="20200101Z"').encode()
    after = ssh_key.allowed_signer("alice", options='valid-after="20250101Z"').encode()
    during = ssh_key.allowed_signer("alice", options='valid-after="20230101Z",valid-before="20240101Z"').encode()
    assert _refused(tmp_path, signed, allowed_signers=before)
    assert _refused(tmp_path, signed, allowed_signers=after)
    assert a_signature_checker(tmp_path).signer(signed, allowed_signers=during, keyring=None) == "alice"


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    with a_gpg_home(today="20200131T120000") as past:
        key = past.new_key("alice@example.org", expires="2020-02-10")
        signed = _signed_tag(tmp_path, past.signer(key))
        assert "expired" in _refused(tmp_path, signed, keyring=past.exported(key))


def test_a_revoked_key_is_refused(tmp_path: Path, gpg_home: GpgHome) -> None:
    key = gpg_home.new_key("alice@example.org")
    signed = _signed_tag(tmp_path, gpg_home.signer(key))
    prepared = (gpg_home.directory / "openpgp-revocs.d" / f"{key}.rev").read_text()
    revocation = prepared.replace("\n:-----BEGIN", "\n-----BEGIN")
    words = ["gpg", "--homedir", str(gpg_home.directory), "--batch", "--quiet", "--import"]
    subprocess.run(words, input=revocation.encode(), check=True)
    assert "revoked" in _refused(tmp_path, signed, keyring=gpg_home.exported(key))


def test_a_signature_over_a_forgeable_digest_is_refused(tmp_path: Path, gpg_home: GpgHome) -> None:
    key = gpg_home.new_key("alice@example.org")
    payload = b"tree 0\n\nmessage\n"
    words = ["gpg", "--homedir", str(gpg_home.directory), "--batch", "--quiet", "--digest-algo", "SHA1", "--armor"]
    # An ed25519 key refuses SHA-1, so this takes an RSA one.
    making = ["--passphrase", "", "--quick-generate-key", "Old <old@example.org>", "rsa2048", "sign", "never"]
    subprocess.run([*words, *making], check=True)
    signing = [*words, "--local-user", "old@example.org", "--detach-sign"]
    signature = subprocess.run(signing, input=payload, capture_output=True, check=True).stdout
    keyring = gpg_home.exported("old@example.org") + gpg_home.exported(key)
    assert "SHA-1" in _refused(tmp_path, SignedObject(payload, signature), keyring=keyring)


@pytest.mark.parametrize("kind", ["SIGNED MESSAGE", "PGP MESSAGE", "PRIVATE KEY"])
def test_other_kinds_of_signature_are_refused(tmp_path: Path, kind: str) -> None:
    body = base64.b64encode(b"x" * 40).decode()
    signed = SignedObject(b"payload", f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n".encode())
    assert "not one whole" in _refused(tmp_path, signed, allowed_signers=b"x", keyring=b"x")


@pytest.mark.parametrize("keyring", [b"", b"no keys", b"\xff" * 100, b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n"])
def test_a_keyring_that_is_none_makes_nothing_good(tmp_path: Path, gpg_home: GpgHome, keyring: bytes) -> None:
    signed = _signed_tag(tmp_path, gpg_home.signer(gpg_home.new_key("alice@example.org")))
    assert _refused(tmp_path, signed, keyring=keyring)


def test_keys_of_the_user_do_not_count(tmp_path: Path, gpg_home: GpgHome) -> None:
    """Only the keyring that was named does, whatever lies in the user's own."""
    signed = _signed_tag(tmp_path, gpg_home.signer(gpg_home.new_key("alice@example.org")))
    with a_gpg_home() as other:
        stranger = other.exported(other.new_key("bob@example.org"))
    checker = a_signature_checker(tmp_path, {"GNUPGHOME": str(gpg_home.directory)})
    with pytest.raises(Untrusted):
        checker.signer(signed, allowed_signers=None, keyring=stranger)


def test_without_the_program_nothing_is_good_and_the_remedy_installs_it(
    tmp_path: Path, gpg_home: GpgHome, ssh_key: SshKey
) -> None:
    checker = a_signature_checker(tmp_path, {"PATH": "/nonexistent"})
    key = gpg_home.new_key("alice@example.org")
    signed = _signed_tag(tmp_path / "openpgp", gpg_home.signer(key))
    with pytest.raises(Untrusted) as caught:
        checker.signer(signed, allowed_signers=None, keyring=gpg_home.exported(key))
    assert "install gpgv" in (caught.value.remedy or "")
    signed = _signed_tag(tmp_path / "ssh", ssh_key.signer)
    with pytest.raises(Untrusted) as caught:
        checker.signer(signed, allowed_signers=ssh_key.allowed_signer("alice").encode(), keyring=None)
    assert "install ssh-keygen" in (caught.value.remedy or "")


def test_a_commit_with_two_signatures_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    """Which of them was meant, git and others answer differently."""
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "a\n"})
    first = _read(tmp_path, repository, repository.commit({"a.md": "b\n"}, signed_by=ssh_key.signer))
    header = "gpgsig " + (first.signature or b"").decode().strip().replace("\n", "\n ") + "\n"
    twice = write_commit(repository.path, repository.resolve("main^{tree}"), headers=header * 2)
    with pytest.raises(Untrusted, match="more than one signature"):
        _read(tmp_path, repository, twice)


def test_a_signed_tag_moved_to_another_name_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "old, with a hole\n"})
    old = repository.tag("v1", message="x", signed_by=ssh_key.signer)
    repository.commit({"a.md": "new\n"})
    repository.git("update-ref", "refs/tags/v2", old)
    with pytest.raises(Untrusted, match="signed as"):
        _locked(tmp_path, repository, ssh_key, ref="v2")
    _locked(tmp_path, repository, ssh_key, ref="v1")


def test_a_forged_tag_object_is_refused(tmp_path: Path, ssh_key: SshKey) -> None:
    """The signature of a good tag on a tag of another commit."""
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "good\n"})
    good = _read(tmp_path, repository, repository.tag("v1", message="x", signed_by=ssh_key.signer))
    evil = repository.commit({"a.md": "evil\n"})
    payload = good.payload.replace(good.payload[7:47], evil.encode())
    forged = write_object(repository.path, "tag", payload + (good.signature or b""))
    repository.git("update-ref", "refs/tags/v1", forged)
    with pytest.raises(Untrusted, match="for this content"):
        _locked(tmp_path, repository, ssh_key, ref="v1")


@pytest.mark.parametrize("demanded", ["tag", "commit"])
def test_what_is_signed_is_locked_and_what_is_not_is_refused(tmp_path: Path, gpg_home: GpgHome, demanded: str) -> None:
    """R025, R026: with OpenPGP, through resolving."""
    key = gpg_home.new_key("alice@example.org")
    repository = a_git_repository(tmp_path / "rules.git")
    repository.commit({"a.md": "a\n"}, signed_by=gpg_home.signer(key))
    repository.tag("good", message="x", signed_by=gpg_home.signer(key))
    repository.commit({"a.md": "b\n"})
    repository.tag("bad", message="x")
    world = GitWorld(
        a_git_host(tmp_path), signatures=a_signature_checker(tmp_path), files={"keys.gpg": gpg_home.exported(key)}
    )
    source = f"name: rules, signed: {demanded}, keyring: keys.gpg"
    world.locked(git_sources(f"{source}, ref: good", repo=str(repository.path)))
    with pytest.raises(Untrusted, match="is missing"):
        world.locked(git_sources(f"{source}, ref: bad", repo=str(repository.path)))


def _locked(directory: Path, repository: GitRepository, key: SshKey, *, ref: str) -> None:
    world = GitWorld(
        a_git_host(directory),
        signatures=a_signature_checker(directory),
        files={"signers": key.allowed_signer("alice").encode()},
    )
    source = f"name: rules, ref: {ref}, signed: tag, allowed_signers: signers"
    world.locked(git_sources(source, repo=str(repository.path)))
