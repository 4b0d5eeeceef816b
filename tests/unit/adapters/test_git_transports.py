"""What is asked of servers old and new, and how often; logins and authorities of the user."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_sync.errors import NetworkError
from agent_sync.ports import Cancellation
from agent_sync.ports import GitRepository as Port
from tests.builders.git_hosts import WITHOUT_GIT, ScratchDirectories, a_git_host
from tests.builders.git_worlds import GitWorld, git_sources
from tests.builders.repositories import GitRepository, a_git_repository
from tests.real.answers import a_file, a_status
from tests.real.authority import Authority
from tests.real.components import require
from tests.real.git_daemon import serve_daemon
from tests.real.git_http import serve_git
from tests.real.http_server import Reply, Request, serve
from tests.real.sshd import SshServer

FILES = {"core/a.md": "a\n", "core/b.md": "b\n", "other.md": "o\n"}
BOTH = pytest.mark.parametrize("environment", [{}, WITHOUT_GIT], ids=["git", "libgit2"])


@pytest.fixture
def rules(tmp_path: Path) -> GitRepository:
    """Three commits: one tagged, one behind no ref, one on main."""
    repository = a_git_repository(tmp_path / "rules.git", FILES)
    repository.tag("v1", message="x")
    repository.commit({"core/a.md": "behind no ref\n"})
    repository.commit({"core/a.md": "last\n"})
    return repository


@contextmanager
def _opened(directory: Path, address: str, environment: Mapping[str, str] | None = None) -> Iterator[Port]:
    with a_git_host(directory, environment).open(
        address, timeout_s=60, max_bytes=10**8, cancellation=Cancellation()
    ) as repository:
        yield repository


def _file(repository: Port, commit: str, path: bytes) -> bytes:
    oids = {entry.path: entry.oid for entry in repository.entries(repository.commit(commit).tree)}
    return bytes(repository.blob(oids[path]))


def test_twenty_sources_are_one_listing_and_one_fetch(tmp_path: Path, rules: GitRepository) -> None:
    first = rules.resolve("main~2")
    sources = [f"name: s{number}, ref: {'main' if number % 2 else first!r}" for number in range(20)]
    with serve_git(tmp_path) as server:
        outcomes = GitWorld(a_git_host(tmp_path)).resolve(git_sources(*sources, repo=server.url("rules.git")))
        assert all(hasattr(outcome, "pin") for outcome in outcomes.values())
        assert (server.conversations, server.fetches) == (2, 1)


def test_with_paths_other_files_stay_on_the_server(tmp_path: Path, rules: GitRepository) -> None:
    commit = rules.resolve("main")
    with serve_git(tmp_path) as server, _opened(tmp_path, server.url("rules.git")) as repository:
        repository.fetch([commit], without_blobs=True)
        oids = {entry.path: entry.oid for entry in repository.entries(repository.commit(commit).tree)}
        repository.fetch_blobs([oids[b"core/a.md"], oids[b"core/b.md"]])
        assert bytes(repository.blob(oids[b"core/b.md"])) == b"b\n"
        with pytest.raises(NetworkError):
            repository.blob(oids[b"other.md"])
        assert server.fetches == 2


def test_a_server_that_knows_no_filter_sends_everything_once(tmp_path: Path, rules: GitRepository) -> None:
    config = "name: rules, ref: main, paths: [core/]"
    with serve_git(tmp_path, settings={"uploadpack.allowFilter": "false"}) as server:
        locked = GitWorld(a_git_host(tmp_path)).locked(git_sources(config, repo=server.url("rules.git")))
        assert set(locked.tree) == {"core/a.md", "core/b.md"}
        assert (server.conversations, server.fetches) == (2, 1)
        with _opened(tmp_path, server.url("rules.git")) as repository:
            assert repository.expand(rules.resolve("main~1")[:9]) == rules.resolve("main~1")


@pytest.mark.parametrize("refused", ["tree", "blob:none"])
def test_a_server_that_refuses_a_filter_is_asked_without(tmp_path: Path, rules: GitRepository, refused: str) -> None:
    settings = {"uploadpack.allowFilter": "true", f"uploadpackfilter.{refused}.allow": "false"}
    commit = rules.resolve("main~1")
    with serve_git(tmp_path, settings=settings) as server, _opened(tmp_path, server.url("rules.git")) as repository:
        assert repository.expand(commit[:9]) == commit
        repository.fetch([commit], without_blobs=True)
        oids = {entry.path: entry.oid for entry in repository.entries(repository.commit(commit).tree)}
        repository.fetch_blobs([oids[b"core/a.md"]])
        assert bytes(repository.blob(oids[b"core/a.md"])) == b"behind no ref\n"


def test_an_old_server_that_gives_out_tips_only_gives_out_its_history(tmp_path: Path, rules: GitRepository) -> None:
    """Protocol 0, in which a commit behind no ref cannot be asked for: an ssh that passes no GIT_PROTOCOL."""
    ssh = tmp_path / "old-ssh"
    ssh.write_text('#!/bin/sh\n[ "$1" = -G ] && exit 1\nshift\neval "exec git ${1#git-}"\n')
    ssh.chmod(0o755)
    commit = rules.resolve("main~1")
    address, environment = f"host.example:{rules.path}", {"GIT_SSH_COMMAND": str(ssh)}
    with _opened(tmp_path, address, environment) as repository:
        repository.fetch([commit], without_blobs=False)
        assert _file(repository, commit, b"core/a.md") == b"behind no ref\n"
    with _opened(tmp_path, address, environment) as repository, pytest.raises(NetworkError):
        repository.fetch(["0123456789" * 4], without_blobs=False)


def test_a_web_server_that_knows_nothing_of_git_will_do(tmp_path: Path, rules: GitRepository) -> None:
    rules.git("update-server-info")
    commit = rules.resolve("main~1")

    def answer(request: Request, reply: Reply) -> None:
        path = tmp_path / request.path.lstrip("/")
        (a_file(path.read_bytes()) if path.is_file() else a_status(404))(request, reply)

    with serve(answer) as server, _opened(tmp_path, f"{server.url}/rules.git") as repository:
        assert repository.advertised()["refs/heads/main"] == rules.resolve("main")
        repository.fetch([commit], without_blobs=False)
        assert _file(repository, commit, b"core/a.md") == b"behind no ref\n"


@BOTH
def test_a_git_daemon_serves(tmp_path: Path, rules: GitRepository, environment: dict[str, str]) -> None:
    commit = rules.resolve("v1^{commit}")
    with serve_daemon(tmp_path) as address, _opened(tmp_path, f"{address}/rules.git", environment) as repository:
        repository.fetch([commit], without_blobs=True)
        oids = {entry.path: entry.oid for entry in repository.entries(repository.commit(commit).tree)}
        repository.fetch_blobs(list(oids.values()))
        assert bytes(repository.blob(oids[b"core/a.md"])) == b"a\n"


def test_ssh_serves_by_either_spelling(tmp_path: Path, rules: GitRepository, sshd: SshServer) -> None:
    commit = rules.resolve("main~1")
    for address in (sshd.url(rules.path), sshd.short_url(rules.path)):
        with _opened(tmp_path, address, {"GIT_SSH_COMMAND": sshd.ssh_command}) as repository:
            repository.fetch([commit], without_blobs=False)
            assert _file(repository, commit, b"core/a.md") == b"behind no ref\n"
    assert set(sshd.commands) == {f"git-upload-pack '{rules.path}'"}


def test_libgit2_logs_in_with_the_ssh_agent_and_knows_its_hosts(
    tmp_path: Path, home: Path, rules: GitRepository, sshd: SshServer
) -> None:
    with _an_agent(tmp_path / "agent", sshd.identity) as agent:
        environment = {**WITHOUT_GIT, "SSH_AUTH_SOCK": agent}
        with _opened(tmp_path, sshd.url(rules.path), environment) as repository, pytest.raises(NetworkError):
            repository.advertised()  # the host is a stranger
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "known_hosts").write_bytes(sshd.known_hosts.read_bytes())
        with _opened(tmp_path, sshd.url(rules.path), environment) as repository:
            commit = repository.advertised()["refs/heads/main"]
            repository.fetch([commit], without_blobs=False)
            assert _file(repository, commit, b"core/a.md") == b"last\n"


@contextmanager
def _an_agent(socket: Path, identity: Path) -> Iterator[str]:
    """An ssh agent that holds one key; the path of its socket."""
    words: list[str | Path] = [require("ssh").with_name("ssh-agent"), "-D", "-a", socket]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()  # it listens as soon as it says where
        try:
            add: list[str | Path] = [require("ssh").with_name("ssh-add"), "-q", identity]
            subprocess.run(add, env={"SSH_AUTH_SOCK": str(socket)}, check=True)
            yield str(socket)
        finally:
            agent.terminate()


@BOTH
@pytest.mark.parametrize("variable", ["GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authorities_are_taken_from_the_usual_variables(
    tmp_path: Path, rules: GitRepository, authority: Authority, variable: str, environment: dict[str, str]
) -> None:
    trusting = {**environment, variable: str(authority.ca_file)}
    with (
        serve_git(tmp_path, authority=authority) as server,
        _opened(tmp_path, server.url("rules.git"), trusting) as repository,
    ):
        assert repository.advertised()["HEAD"] == rules.resolve("main")


def test_the_users_own_authority_comes_first(
    tmp_path: Path, home: Path, rules: GitRepository, authority: Authority
) -> None:
    (home / ".gitconfig").write_text(f"[http]\n\tsslCAInfo = {authority.ca_file}\n")
    with (
        serve_git(tmp_path, authority=authority) as server,
        _opened(tmp_path, server.url("rules.git"), {"SSL_CERT_FILE": "/etc/hostname"}) as repository,
    ):
        assert repository.advertised()["HEAD"] == rules.resolve("main")


def test_the_users_proxy_is_used(tmp_path: Path, home: Path) -> None:
    with serve(a_status(503)) as proxy:
        (home / ".gitconfig").write_text(f"[http]\n\tproxy = {proxy.url}\n")
        with _opened(tmp_path, "http://host.example/rules.git") as repository, pytest.raises(NetworkError):
            repository.advertised()
        assert proxy.requests[0].path.startswith("http://host.example/rules.git")


def test_a_git_that_is_too_old_to_be_held_back_is_not_used(tmp_path: Path, rules: GitRepository) -> None:
    """It could not be told to leave the user's configuration alone."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho git version 2.31.9\n')
    (programs / "git").chmod(0o755)
    with _opened(tmp_path, str(rules.path), {"PATH": str(programs)}) as repository:
        assert repository.advertised()["HEAD"] == rules.resolve("main")
    assert (tmp_path / "asked").read_text() == "version\n"


@BOTH
def test_one_host_serves_several_threads(tmp_path: Path, rules: GitRepository, environment: dict[str, str]) -> None:
    host = a_git_host(tmp_path, environment)
    commit = rules.resolve("main")

    def content(_: int) -> bytes:
        with host.open(str(rules.path), timeout_s=60, max_bytes=10**8, cancellation=Cancellation()) as repository:
            repository.fetch([commit], without_blobs=False)
            return _file(repository, commit, b"core/a.md")

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(content, range(6))) == {b"last\n"}


def test_plain_relative_paths_start_at_the_projects_root(tmp_path: Path, rules: GitRepository) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with _opened(project, "../rules.git") as repository:
        assert repository.advertised()["HEAD"] == rules.resolve("main")


def test_scratch_directories_go_even_when_a_transfer_fails(tmp_path: Path) -> None:
    with _opened(tmp_path, str(tmp_path / "none")) as repository, pytest.raises(NetworkError):
        repository.advertised()
    assert ScratchDirectories(tmp_path).left == []
