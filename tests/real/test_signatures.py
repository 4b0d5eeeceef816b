"""Commits and tags signed with real keys are good to git itself, and a stranger's key is not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.builders.repositories import GitRepository, Signer, a_git_repository
from tests.real.gpg import GpgHome, a_gpg_home
from tests.real.ssh_keys import SshKey, an_ssh_key


def _verified(repository: GitRepository, *words: str, settings: tuple[str, ...] = (), home: Path | None = None) -> bool:
    environment = os.environ | ({"GNUPGHOME": str(home)} if home else {})
    command = ["git", *settings, *words]
    return subprocess.run(command, cwd=repository.path, env=environment, capture_output=True).returncode == 0


def _signed_repository(path: Path, signer: Signer) -> GitRepository:
    repository = a_git_repository(path, {"a.md": "one"})
    repository.commit({"a.md": "two"}, signed_by=signer)
    repository.tag("v1", signed_by=signer)
    repository.tag("unsigned", message="a note")
    return repository


def test_openpgp_signatures_are_good_in_the_home_of_their_key(tmp_path: Path, gpg_home: GpgHome) -> None:
    repository = _signed_repository(tmp_path / "r.git", gpg_home.signer(gpg_home.new_key("a@example.org")))
    assert _verified(repository, "verify-commit", "main", home=gpg_home.directory)
    assert _verified(repository, "verify-tag", "v1", home=gpg_home.directory)
    assert not _verified(repository, "verify-tag", "unsigned", home=gpg_home.directory)
    assert not _verified(repository, "verify-commit", "main~1", home=gpg_home.directory)


def test_openpgp_signatures_mean_nothing_in_another_home(tmp_path: Path, gpg_home: GpgHome) -> None:
    repository = _signed_repository(tmp_path / "r.git", gpg_home.signer(gpg_home.new_key("a@example.org")))
    with a_gpg_home() as other:
        other.new_key("a@example.org")
        assert not _verified(repository, "verify-tag", "v1", home=other.directory)


def test_an_exported_key_is_a_keyring_and_can_be_armoured(gpg_home: GpgHome) -> None:
    fingerprint = gpg_home.new_key("a@example.org")
    assert gpg_home.exported(fingerprint)[0] & 0b1000_0000  # an OpenPGP packet (RFC 9580 §4.2)
    assert gpg_home.exported(fingerprint, armour=True).startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")


def test_a_key_of_a_past_day_can_have_expired(tmp_path: Path) -> None:
    with a_gpg_home(today="20200131T120000") as past:
        signer = past.signer(past.new_key("a@example.org", expires="2020-02-10"))
        repository = _signed_repository(tmp_path / "r.git", signer)
        assert _verified(repository, "verify-tag", "v1", home=past.directory)
        (past.directory / "gpg.conf").unlink()
        shown = subprocess.run(
            ["git", "verify-tag", "--raw", "v1"], cwd=repository.path, capture_output=True, text=True,
            env=os.environ | {"GNUPGHOME": str(past.directory)},
        )  # fmt: skip
    assert "KEYEXPIRED" in shown.stderr


@pytest.mark.parametrize(("principal_key_is_the_signers", "good"), [(True, True), (False, False)])
def test_ssh_signatures_are_good_for_an_allowed_signer_only(
    tmp_path: Path, ssh_key: SshKey, principal_key_is_the_signers: bool, good: bool
) -> None:
    repository = _signed_repository(tmp_path / "r.git", ssh_key.signer)
    known = ssh_key if principal_key_is_the_signers else an_ssh_key(tmp_path / "stranger")
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(known.allowed_signer("builder@example.org"))
    settings = ("-c", f"gpg.ssh.allowedSignersFile={allowed}")
    assert _verified(repository, "verify-tag", "v1", settings=settings) is good
    assert _verified(repository, "verify-commit", "main", settings=settings) is good
