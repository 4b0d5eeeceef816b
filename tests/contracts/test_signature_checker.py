"""What `SignatureChecker` promises, held against the memory one and against gpgv and ssh-keygen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent_sync.errors import Untrusted
from agent_sync.ports import Cancellation, SignatureChecker, SignedObject
from tests.builders.git_hosts import a_git_host, a_signature_checker
from tests.builders.repositories import Signer, a_git_repository
from tests.fakes.git import MemorySignatures
from tests.real.gpg import a_gpg_home
from tests.real.ssh_keys import an_ssh_key


@dataclass(frozen=True, slots=True)
class Signing:
    """A checker; a tag and a commit that Alice signed; who she is said to be; her keys, and those of somebody else."""

    checker: SignatureChecker
    tag: SignedObject
    commit: SignedObject
    alice: str
    hers: dict[str, bytes | None]
    others: dict[str, bytes | None]


@contextmanager
def _in_memory(_: Path) -> Iterator[Signing]:
    signed = SignedObject(b"payload", b"alice")
    hers: dict[str, bytes | None] = {"allowed_signers": b"alice\n", "keyring": None}
    others: dict[str, bytes | None] = {"allowed_signers": b"bob\n", "keyring": None}
    yield Signing(MemorySignatures(), signed, signed, "alice", hers, others)


def _openpgp(*, armour: bool) -> Callable[[Path], AbstractContextManager[Signing]]:
    @contextmanager
    def signing(directory: Path) -> Iterator[Signing]:
        with a_gpg_home() as home:
            alice, bob = home.new_key("alice@example.org"), home.new_key("bob@example.org")
            both = home.exported(alice, armour=armour) + home.exported(bob, armour=armour)
            hers: dict[str, bytes | None] = {"allowed_signers": None, "keyring": both}
            others: dict[str, bytes | None] = {"allowed_signers": None, "keyring": home.exported(bob, armour=armour)}
            yield _signed_by(home.signer(alice), directory, alice, hers, others)

    return signing


@contextmanager
def _ssh(directory: Path) -> Iterator[Signing]:
    alice, bob = an_ssh_key(directory / "alice"), an_ssh_key(directory / "bob")
    both = bob.allowed_signer("bob@example.org") + alice.allowed_signer("alice@example.org")
    hers: dict[str, bytes | None] = {"allowed_signers": both.encode(), "keyring": None}
    others: dict[str, bytes | None] = {
        "allowed_signers": bob.allowed_signer("bob@example.org").encode(),
        "keyring": None,
    }
    yield _signed_by(alice.signer, directory, "alice@example.org", hers, others)


def _signed_by(
    signer: Signer, directory: Path, alice: str, hers: dict[str, bytes | None], others: dict[str, bytes | None]
) -> Signing:
    repository = a_git_repository(directory / "rules.git")
    commit = repository.commit({"a.md": "a\n"}, message="with\n\na body", signed_by=signer)
    tag = repository.tag("v1", message="with\n\na body", signed_by=signer)
    with a_git_host(directory).open(
        str(repository.path), timeout_s=60, max_bytes=10**8, cancellation=Cancellation()
    ) as opened:
        opened.fetch([tag], without_blobs=False)
        return Signing(a_signature_checker(directory), opened.signed(tag), opened.signed(commit), alice, hers, others)


KINDS = {
    "memory": _in_memory,
    "OpenPGP": _openpgp(armour=False),
    "OpenPGP, armoured keys": _openpgp(armour=True),
    "SSH": _ssh,
}


@pytest.fixture(params=KINDS)
def signing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Signing]:
    with KINDS[request.param](tmp_path) as signing:
        yield signing


def test_who_signed_is_said_if_the_key_is_known(signing: Signing) -> None:
    assert signing.checker.signer(signing.tag, **signing.hers) == signing.alice
    assert signing.checker.signer(signing.commit, **signing.hers) == signing.alice


def test_a_signature_by_another_key_is_refused(signing: Signing) -> None:
    for signed in (signing.tag, signing.commit):
        with pytest.raises(Untrusted) as caught:
            signing.checker.signer(signed, **signing.others)
        assert caught.value.remedy


def test_no_signature_is_refused(signing: Signing) -> None:
    with pytest.raises(Untrusted, match="is missing"):
        signing.checker.signer(replace(signing.tag, signature=None), **signing.hers)


def test_nobodys_keys_are_no_keys(signing: Signing) -> None:
    with pytest.raises(Untrusted):
        signing.checker.signer(signing.tag, allowed_signers=None, keyring=None)
    with pytest.raises(Untrusted):
        signing.checker.signer(signing.tag, allowed_signers=b"", keyring=b"")
