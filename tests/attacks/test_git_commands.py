"""Everything that could make git run a program of somebody else's choice, and does not (hostile-input: Git)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_sync.errors import AgentSyncError, ConfigInvalid, NetworkError, Untrusted
from agent_sync.ports import Cancellation
from tests.builders.git_hosts import WITHOUT_GIT, a_git_host
from tests.builders.repositories import GitRepository, a_git_repository
from tests.real.git_http import serve_git


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that is there after the test if an injected command ran."""
    return tmp_path / "ran"


@pytest.fixture
def trap(tmp_path: Path, marker: Path) -> Path:
    """A program that leaves the marker, and has the name of nothing that is needed."""
    path = tmp_path / "trap.sh"
    path.write_text(f"#!/bin/sh\ntouch {marker}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def rules(tmp_path: Path) -> GitRepository:
    return a_git_repository(tmp_path / "rules.git", {"a.md": "a\n"})


def _content(directory: Path, address: str, environment: dict[str, str] | None = None) -> bytes:
    """The only file of HEAD behind the address."""
    with a_git_host(directory, environment).open(
        address, timeout_s=60, max_bytes=10**8, cancellation=Cancellation()
    ) as repository:
        commit = repository.advertised()["HEAD"]
        repository.fetch([commit], without_blobs=False)
        (entry,) = repository.entries(repository.commit(commit).tree)
        return bytes(repository.blob(entry.oid))


def _refused(directory: Path, address: str, environment: dict[str, str]) -> AgentSyncError:
    with pytest.raises((Untrusted, NetworkError)) as caught:
        _content(directory, address, environment)
    assert caught.value.remedy
    return caught.value


ADDRESSES = (
    "--upload-pack={trap}",
    "-u{trap}",
    "ext::{trap}",
    "ext::sh -c {trap}",
    "fd::17",
    "transport::address",
    "ssh://-oProxyCommand={trap}/x",
    "ssh://-oProxyCommand={trap}@127.0.0.1/x",
    "ssh://%2DoProxyCommand={trap}/x",
    "-oProxyCommand={trap}:x",
    "user@-oProxyCommand={trap}:x",
    "127.0.0.1:-oProxyCommand={trap}",
    "https://127.0.0.1:1/a%0a{trap}",
    "git://127.0.0.1:1/a%0ahost={trap}",
    "https://127.0.0.1:1/a\n{trap}",
    "https://127.0.0.1:1/a\r{trap}",
    "https://127.0.0.1:1/a\0{trap}",
    "file:///x\x1b[2J",
    "",
)


@pytest.mark.parametrize("environment", [{}, WITHOUT_GIT], ids=["git", "libgit2"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_runs_nothing(
    tmp_path: Path, trap: Path, marker: Path, address: str, environment: dict[str, str]
) -> None:
    assert str(_refused(tmp_path, address.format(trap=trap), environment)).isprintable()
    assert not marker.exists()


@pytest.mark.parametrize("address", ["$({trap})/x", "`{trap}`", "x;{trap}", "|{trap}", "file:///$({trap})", "a b"])
def test_a_shell_reads_no_address(tmp_path: Path, trap: Path, marker: Path, address: str) -> None:
    assert isinstance(_refused(tmp_path, address.format(trap=trap), {}), NetworkError)
    assert not marker.exists()


def test_a_shell_reads_no_path_on_the_other_machine_either(tmp_path: Path, trap: Path, marker: Path) -> None:
    """What ssh is told to run there: the path is quoted."""
    log = tmp_path / "told"
    environment = {"GIT_SSH_COMMAND": f"sh -c 'echo \"$@\" >> {log}; exit 1' ssh"}
    assert isinstance(_refused(tmp_path, f"host.example:$({trap})'`{trap}`", environment), NetworkError)
    assert "git-upload-pack '" in log.read_text()
    assert not marker.exists()


@pytest.mark.parametrize("environment", [{}, WITHOUT_GIT], ids=["git", "libgit2"])
@pytest.mark.parametrize("oid", ["--upload-pack={trap}", "-u{trap}", "+refs/heads/*:refs/heads/*", "HEAD:../../x", ""])
def test_an_id_that_is_none_is_never_asked_for(
    tmp_path: Path, rules: GitRepository, trap: Path, marker: Path, oid: str, environment: dict[str, str]
) -> None:
    host = a_git_host(tmp_path, environment)
    with host.open(str(rules.path), timeout_s=60, max_bytes=10**8, cancellation=Cancellation()) as repository:
        with pytest.raises(NetworkError):
            repository.fetch([oid.format(trap=trap)], without_blobs=False)
        with pytest.raises(NetworkError):
            repository.fetch_blobs([oid.format(trap=trap)])
        with pytest.raises(NetworkError):
            repository.blob(oid.format(trap=trap))
    assert not marker.exists()


SETTINGS = (
    "core.fsmonitor",
    "core.sshCommand",
    "core.gitProxy",
    "core.askPass",
    "core.editor",
    "core.pager",
    "core.alternateRefsCommand",
    "uploadpack.packObjectsHook",
    "remote.origin.uploadpack",
    "gpg.program",
    "credential.helper",
    "diff.external",
    "filter.x.smudge",
    "alias.upload-pack",
    "alias.fetch",
    "receive.procReceiveRefs",
)


@pytest.mark.parametrize("environment", [{}, WITHOUT_GIT], ids=["git", "libgit2"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "with a working tree"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_the_settings_and_hooks_of_a_repository_run_nothing(
    tmp_path: Path, trap: Path, marker: Path, scheme: str, environment: dict[str, str], *, bare: bool
) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a\n"}, bare=bare)
    for setting in SETTINGS:
        repository.git("config", setting, str(trap))
    hooks = (repository.path if bare else repository.path / ".git") / "hooks"
    repository.git("config", "core.hooksPath", str(hooks))
    for hook in ("post-checkout", "pre-upload-pack", "post-upload-pack", "reference-transaction", "fsmonitor-watchman"):
        (hooks / hook).write_bytes(trap.read_bytes())
        (hooks / hook).chmod(0o755)
    assert _content(tmp_path, f"{scheme}{repository.path}", environment) == b"a\n"
    assert not marker.exists()


def test_the_users_settings_run_nothing_and_lead_nowhere_else(
    tmp_path: Path, home: Path, rules: GitRepository, trap: Path, marker: Path
) -> None:
    evil = a_git_repository(tmp_path / "evil.git", {"a.md": "evil\n"})
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "reference-transaction").write_bytes(trap.read_bytes())
    (hooks / "reference-transaction").chmod(0o755)
    settings = "".join(
        f'[{section}]\n\t{key} = "{trap}"\n'
        for section, _, key in (setting.rpartition(".") for setting in SETTINGS if setting.count(".") == 1)
    )
    (home / ".gitconfig").write_text(
        f'{settings}[url "{evil.path}"]\n\tinsteadOf = {rules.path}\n'
        f"[init]\n\ttemplateDir = {hooks.parent}\n[core]\n\thooksPath = {hooks}\n"
        f'[remote "origin"]\n\turl = {evil.path}\n\tuploadpack = {trap}\n[transfer]\n\thideRefs = refs\n'
        "[protocol]\n\tallow = never\n[fetch]\n\tunpackLimit = 100000\n"
    )
    assert _content(tmp_path, str(rules.path)) == b"a\n"
    assert not marker.exists()


def test_the_users_settings_lead_libgit2_nowhere_else_either(tmp_path: Path, home: Path, rules: GitRepository) -> None:
    evil = a_git_repository(tmp_path / "evil.git", {"a.md": "evil\n"})
    (home / ".gitconfig").write_text(f'[url "{evil.path}"]\n\tinsteadOf = {rules.path}\n')
    assert _content(tmp_path, str(rules.path), WITHOUT_GIT) == b"a\n"


def test_variables_that_steer_git_do_not_reach_it(
    tmp_path: Path, rules: GitRepository, trap: Path, marker: Path
) -> None:
    evil = a_git_repository(tmp_path / "evil.git", {"a.md": "evil\n"})
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git-remote-https", "git-upload-pack", "git-fetch", "git-index-pack", "git"):
        (programs / name).write_bytes(trap.read_bytes())
        (programs / name).chmod(0o755)
    trace = tmp_path / "trace"
    environment = {
        "GIT_DIR": str(evil.path),
        "GIT_OBJECT_DIRECTORY": str(evil.path / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(evil.path / "objects"),
        "GIT_EXEC_PATH": str(programs),
        "GIT_TEMPLATE_DIR": str(programs),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{evil.path}.insteadOf",
        "GIT_CONFIG_VALUE_0": str(rules.path),
        "GIT_CONFIG_KEY_1": "remote.origin.uploadpack",
        "GIT_CONFIG_VALUE_1": str(trap),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={trap}'",
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_TRACE": str(trace),
        "GIT_TRACE_CURL": str(trace),
        "GIT_SSH": str(trap),
        "GIT_PROXY_COMMAND": str(trap),
        "GIT_NAMESPACE": "evil",
    }
    assert _content(tmp_path, str(rules.path), environment) == b"a\n"
    assert not marker.exists()
    assert not trace.exists()


@pytest.mark.usefixtures("rules")
def test_a_repository_around_the_scratch_directory_is_not_looked_at(tmp_path: Path, trap: Path, marker: Path) -> None:
    """A home directory may be a repository, and the store lies in it. Its helper would be asked for a login."""
    around = a_git_repository(tmp_path / "home", {"x": "x"}, bare=False)
    around.git("config", "credential.helper", f"!{trap};")
    directory = around.path / "cache"
    directory.mkdir()
    with serve_git(tmp_path, login=("me", "s3cret")) as server:
        _refused(directory, server.url("rules.git"), {})
    assert not marker.exists()


def test_a_broken_git_configuration_is_named(tmp_path: Path, home: Path, rules: GitRepository) -> None:
    (home / ".gitconfig").write_text("[broken\n")
    with pytest.raises(ConfigInvalid) as caught:
        _content(tmp_path, str(rules.path))
    assert ".gitconfig" in caught.value.check
    assert caught.value.remedy


def test_nothing_is_left_of_what_was_fetched(tmp_path: Path, rules: GitRepository) -> None:
    before = sorted(os.listdir(tmp_path))
    _content(tmp_path, str(rules.path))
    assert sorted(os.listdir(tmp_path)) == before
