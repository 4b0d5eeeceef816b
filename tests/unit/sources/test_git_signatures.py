"""Allow-lists, protocols and signatures: what is demanded of a git source, and by whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.config import Signers
from agent_sync.errors import ConfigInvalid, Untrusted
from agent_sync.lock import Lock
from tests.builders.git_worlds import REPO, GitWorld, git_sources
from tests.fakes.git import MemoryGit, MemoryRepository

SIGNED_TAG = "name: rules, ref: v1, signed: tag, allowed_signers: keys/signers"
FILES = {"keys/signers": b"alice\n"}


@pytest.fixture
def git() -> MemoryGit:
    return MemoryGit()


@pytest.fixture
def remote(git: MemoryGit) -> MemoryRepository:
    return git.add(REPO)


def _security(**demands: str) -> str:
    return "security:\n" + "".join(f"  {key}: {value}\n" for key, value in demands.items())


@pytest.mark.parametrize(
    "allowed", ["https://example.com/*", "https://EXAMPLE.com:443/rules.git", "https://example.com/**"]
)
def test_a_repository_on_the_list_is_used(git: MemoryGit, remote: MemoryRepository, allowed: str) -> None:
    remote.commit({"a": "1"})
    GitWorld(git).locked(git_sources("name: rules, ref: main", more=_security(repositories=f"['{allowed}']")))


@pytest.mark.parametrize("allowed", ["https://example.com/other/*", "https://example.co/*", "https://*.example.com/*"])
def test_a_repository_that_is_not_on_the_list_is_not_even_asked(
    git: MemoryGit, remote: MemoryRepository, allowed: str
) -> None:
    remote.commit({"a": "1"})
    with pytest.raises(Untrusted, match="not among the allowed repositories") as caught:
        GitWorld(git).locked(git_sources("name: rules, ref: main", more=_security(repositories=f"['{allowed}']")))
    assert caught.value.subject == "source rules"
    assert git.bounds == []


@pytest.mark.parametrize("repo", ["https://example.com/acme/../evil.git", "https://example.com/acme/%2e%2e/evil.git"])
def test_a_path_that_leads_elsewhere_is_on_no_list(git: MemoryGit, repo: str) -> None:
    git.add(repo).commit({"a": "1"})
    with pytest.raises(Untrusted):
        GitWorld(git).locked(
            git_sources("name: rules, ref: main", repo=repo, more=_security(repositories="['https://example.com/**']"))
        )


def test_a_protocol_that_is_not_allowed_is_not_used(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a": "1"})
    with pytest.raises(Untrusted, match="https, which is not allowed"):
        GitWorld(git).locked(git_sources("name: rules, ref: main", more=_security(protocols="[ssh]")))
    assert git.bounds == []


@pytest.mark.parametrize(
    ("repo", "warned"),
    [
        ("http://example.com/r.git", True),
        ("git://example.com/r.git", True),
        ("https://example.com/r.git", False),
        ("git@example.com:r.git", False),
        ("/srv/r.git", False),
    ],
)
def test_an_unprotected_protocol_is_warned_of(git: MemoryGit, repo: str, *, warned: bool) -> None:
    git.add(repo).commit({"a": "1"})
    world = GitWorld(git)
    world.locked(git_sources("name: rules, ref: main", repo=repo))
    assert world.warnings == (["insecure-protocol"] if warned else [])


def test_a_tag_signed_by_an_allowed_signer_is_taken(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), signature=b"alice")
    GitWorld(git, files=FILES).locked(git_sources(SIGNED_TAG))


@pytest.mark.parametrize("signature", [b"mallory", None])
def test_a_tag_with_another_signature_or_none_is_refused(
    git: MemoryGit, remote: MemoryRepository, signature: bytes | None
) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), signature=signature)
    world = GitWorld(git, files=FILES)
    with pytest.raises(Untrusted) as caught:
        world.locked(git_sources(SIGNED_TAG))
    assert caught.value.subject == "source rules, tag v1"
    assert caught.value.remedy
    assert world.store.blobs == {}


def test_a_signed_tag_served_under_another_name_is_refused(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), inside="v0-with-a-hole", signature=b"alice")
    with pytest.raises(Untrusted, match="signed as"):
        GitWorld(git, files=FILES).locked(git_sources(SIGNED_TAG))


@pytest.mark.parametrize("ref", ["main", "light", "HEAD"])
def test_where_a_signed_tag_is_demanded_nothing_else_will_do(
    git: MemoryGit, remote: MemoryRepository, ref: str
) -> None:
    remote.refs["refs/tags/light"] = remote.commit({"a": "1"}, signature=b"alice")
    with pytest.raises(Untrusted, match="a signed tag is required"):
        GitWorld(git, files=FILES).locked(git_sources(SIGNED_TAG.replace("v1", ref)))


def test_a_signed_commit_is_demanded_of_the_commit(git: MemoryGit, remote: MemoryRepository) -> None:
    config = git_sources("name: rules, ref: main, signed: commit, keyring: keys/signers")
    remote.commit({"a": "1"}, signature=b"alice")
    GitWorld(git, files=FILES).locked(config)
    remote.tag("v1", remote.commit({"a": "2"}), signature=b"alice")
    with pytest.raises(Untrusted, match="is missing"):
        GitWorld(git, files=FILES).locked(config)


def test_tag_and_commit_demanded_by_different_layers_are_both_required(
    git: MemoryGit, remote: MemoryRepository
) -> None:
    config = git_sources(SIGNED_TAG, more=_security(signed="commit"))
    remote.tag("v1", remote.commit({"a": "1"}), signature=b"alice")
    with pytest.raises(Untrusted) as caught:
        GitWorld(git, files=FILES).locked(config)
    assert "commit" in caught.value.subject
    remote.tag("v1", remote.commit({"a": "2"}, signature=b"alice"), signature=b"alice")
    GitWorld(git, files=FILES).locked(config)


def test_a_demanded_signature_is_looked_at_each_time(git: MemoryGit, remote: MemoryRepository) -> None:
    commit = remote.commit({"a": "1"})
    remote.tag("v1", commit, signature=b"alice")
    world = GitWorld(git, files=FILES)
    locked = world.locked(git_sources(SIGNED_TAG))
    remote.tag("v1", commit, signature=b"mallory")
    with pytest.raises(Untrusted):
        world.locked(git_sources(SIGNED_TAG), Lock((locked,)))


def test_a_missing_key_file_is_named(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), signature=b"alice")
    with pytest.raises(ConfigInvalid, match="keys/signers"):
        GitWorld(git).locked(git_sources(SIGNED_TAG))


def test_without_any_signers_nothing_counts_as_signed(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), signature=b"alice")
    with pytest.raises(Untrusted):
        GitWorld(git).locked(git_sources("name: rules, ref: v1, signed: tag"))


def test_the_machines_signers_are_read_from_where_they_lie(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.tag("v1", remote.commit({"a": "1"}), signature=b"alice")
    config = replace(git_sources("name: rules, ref: v1, signed: tag"), signers={"rules": Signers("/etc/signers")})
    GitWorld(git, machine={"/etc/signers": b"alice\n"}).locked(config)
    with pytest.raises(ConfigInvalid, match="/etc/signers"):
        GitWorld(git).locked(config)
