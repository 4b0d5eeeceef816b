"""The git server speaks the smart protocol as a forge does, seen with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.builders.repositories import GitRepository, a_git_repository
from tests.real import answers
from tests.real.authority import Authority
from tests.real.git_http import serve_git


@pytest.fixture
def rules(tmp_path: Path) -> GitRepository:
    return a_git_repository(tmp_path / "served" / "team" / "rules.git", {"a.md": "one\n", "deep/b.md": "two\n"})


def _git(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(["git", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_a_clone_has_the_commit_and_is_one_conversation(tmp_path: Path, rules: GitRepository) -> None:
    with serve_git(tmp_path / "served") as server:
        cloned = _git("clone", "--quiet", server.url("team/rules.git"), "copy", cwd=tmp_path)
        assert cloned.returncode == 0, cloned.stderr
        assert (server.conversations, server.fetches) == (1, 1)
    assert _git("rev-parse", "HEAD", cwd=tmp_path / "copy").stdout.strip() == rules.resolve("HEAD")
    assert (tmp_path / "copy" / "deep" / "b.md").read_text() == "two\n"


def test_listing_references_is_a_conversation_without_a_fetch(tmp_path: Path, rules: GitRepository) -> None:
    with serve_git(tmp_path / "served") as server:
        listed = _git("ls-remote", server.url("team/rules.git"), "main", cwd=tmp_path)
        assert listed.stdout == f"{rules.resolve('HEAD')}\trefs/heads/main\n"
        assert (server.conversations, server.fetches) == (1, 0)


def test_a_single_commit_can_be_asked_for_by_its_id(tmp_path: Path, rules: GitRepository) -> None:
    older = rules.resolve("HEAD")
    rules.commit({"a.md": "newer\n"})
    a_git_repository(tmp_path / "copy", bare=False)
    with serve_git(tmp_path / "served") as server:
        fetched = _git("fetch", "--depth=1", server.url("team/rules.git"), older, cwd=tmp_path / "copy")
    assert fetched.returncode == 0, fetched.stderr
    assert _git("show", f"{older}:a.md", cwd=tmp_path / "copy").stdout == "one\n"


@pytest.mark.parametrize(("allowed", "warned"), [("true", False), ("false", True)])
def test_filters_are_the_servers_choice(tmp_path: Path, rules: GitRepository, allowed: str, warned: bool) -> None:
    with serve_git(tmp_path / "served", settings={"uploadpack.allowFilter": allowed}) as server:
        url = server.url("team/rules.git")
        cloned = _git("clone", "--bare", "--filter=blob:none", url, "copy.git", cwd=tmp_path)
    assert cloned.returncode == 0, cloned.stderr
    assert ("filtering not recognized by server" in cloned.stderr) is warned
    missing = _git("rev-list", "--objects", "--all", "--missing=print", cwd=tmp_path / "copy.git").stdout
    assert ("?" in missing) is not warned
    assert rules.resolve("HEAD:a.md") in missing


def test_a_long_negotiation_arrives_packed_and_is_understood(tmp_path: Path, rules: GitRepository) -> None:
    with serve_git(tmp_path / "served") as server:
        assert _git("clone", "--quiet", server.url("team/rules.git"), "copy", cwd=tmp_path).returncode == 0
        for number in range(40):
            _git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", str(number),
                 cwd=tmp_path / "copy")  # fmt: skip
        tip = rules.commit({"a.md": "newer\n"})
        fetched = _git("fetch", "--quiet", cwd=tmp_path / "copy")
        assert fetched.returncode == 0, fetched.stderr
        encodings = {request.headers.get("content-encoding") for request in server.requests}
    assert "gzip" in encodings
    assert _git("rev-parse", "origin/main", cwd=tmp_path / "copy").stdout.strip() == tip


def test_without_the_login_nothing_is_served(tmp_path: Path, rules: GitRepository) -> None:
    with serve_git(tmp_path / "served", login=("me", "open")) as server:
        address = server.url("team/rules.git")
        assert _git("ls-remote", address, cwd=tmp_path).returncode == 128
        listed = _git("ls-remote", address.replace("://", "://me:open@"), cwd=tmp_path)
    assert rules.resolve("HEAD") in listed.stdout


def test_tls_is_trusted_with_the_authority_and_only_then(
    tmp_path: Path, rules: GitRepository, authority: Authority
) -> None:
    with serve_git(tmp_path / "served", authority=authority) as server:
        url = server.url("team/rules.git")
        trusting = _git("-c", f"http.sslCAInfo={authority.ca_file}", "ls-remote", url, cwd=tmp_path)
        strange = _git("ls-remote", url, cwd=tmp_path)
    assert rules.resolve("HEAD") in trusting.stdout
    assert strange.returncode == 128
    assert "certificate" in strange.stderr


def test_a_path_may_be_answered_without_git(tmp_path: Path, rules: GitRepository) -> None:
    broken = {"/team/rules.git/info/refs": answers.a_status(503)}
    with serve_git(tmp_path / "served", instead=broken) as server:
        refused = _git("ls-remote", server.url("team/rules.git"), cwd=tmp_path)
    assert "503" in refused.stderr
    assert rules.resolve("HEAD") not in refused.stdout
