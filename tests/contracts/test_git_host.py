"""What `GitHost` and `GitRepository` promise, held against the memory one and the real ones over every transport."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_sync.errors import ConfigInvalid, LimitExceeded, NetworkError, Untrusted
from agent_sync.ports import Cancellation, GitHost, GitRepository
from tests.builders.git_hosts import WITHOUT_GIT, a_git_host
from tests.builders.repositories import Content, Executable, Symlink, a_git_repository
from tests.fakes.git import MemoryGit
from tests.real.git_http import serve_git
from tests.real.sshd import SshServer

FIRST: dict[str, Content] = {
    "a.md": "one\r\n",
    "core/deep/b.md": "b\n",
    "core/run.sh": Executable("#!/bin/sh\n"),
    ".hidden/c.md": "",
    "link.md": Symlink("a.md"),
}
LARGE = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(60_000))  # does not compress away


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository of three commits: `first`, tagged v1 (annotated); `middle`, behind no ref; `last`, on main."""

    host: GitHost
    address: str
    first: str
    middle: str
    last: str
    tag: str

    def opened(self, *, max_bytes: int = 10_000_000) -> AbstractContextManager[GitRepository]:
        return self.host.open(self.address, timeout_s=60.0, max_bytes=max_bytes, cancellation=Cancellation())


@contextmanager
def _in_memory(_: Path, __: Callable[[], SshServer]) -> Iterator[Remote]:
    host = MemoryGit()
    repository = host.add("memory")
    first = repository.commit(dict(FIRST))
    tag = repository.tag("v1", first)
    middle = repository.commit({**FIRST, "a.md": "two\n", "large": LARGE})
    last = repository.commit({**FIRST, "a.md": "three\n"})
    yield Remote(host, "memory", first, middle, last, tag)


def _over_file(scheme: str, environment: dict[str, str]) -> Callable[..., AbstractContextManager[Remote]]:
    @contextmanager
    def remote(directory: Path, _: Callable[[], SshServer]) -> Iterator[Remote]:
        yield _remote(directory, f"{scheme}{directory}/rules.git", environment)

    return remote


def _over_http(environment: dict[str, str]) -> Callable[..., AbstractContextManager[Remote]]:
    @contextmanager
    def remote(directory: Path, _: Callable[[], SshServer]) -> Iterator[Remote]:
        with serve_git(directory) as server:
            yield _remote(directory, server.url("rules.git"), environment)

    return remote


@contextmanager
def _over_ssh(directory: Path, sshd: Callable[[], SshServer]) -> Iterator[Remote]:
    server = sshd()
    yield _remote(directory, server.short_url(directory / "rules.git"), {"GIT_SSH_COMMAND": server.ssh_command})


def _remote(directory: Path, address: str, environment: dict[str, str]) -> Remote:
    repository = a_git_repository(directory / "rules.git")
    first = repository.commit(FIRST)
    tag = repository.tag("v1", message="the first")
    middle = repository.commit({"a.md": "two\n", "large": LARGE})
    last = repository.commit({"a.md": "three\n", "large": None})
    return Remote(a_git_host(directory, environment), address, first, middle, last, tag)


KINDS = {
    "memory": _in_memory,
    "git, a path": _over_file("", {}),
    "git, file://": _over_file("file://", {}),
    "git, http": _over_http({}),
    "git, ssh": _over_ssh,
    "libgit2, a path": _over_file("", WITHOUT_GIT),
    "libgit2, http": _over_http(WITHOUT_GIT),
}


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    with KINDS[request.param](tmp_path, lambda: request.getfixturevalue("sshd")) as remote:
        yield remote


def test_refs_are_listed_with_what_tags_point_to(remote: Remote) -> None:
    with remote.opened() as repository:
        assert dict(repository.advertised()) == {
            "HEAD": remote.last,
            "refs/heads/main": remote.last,
            "refs/tags/v1": remote.tag,
            "refs/tags/v1^{}": remote.first,
        }


def test_commits_are_fetched_by_id_wherever_refs_point(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch([remote.first, remote.middle], without_blobs=False)
        for commit in (remote.first, remote.middle):
            found = repository.commit(commit)
            assert found.commit == commit
            assert len(list(repository.entries(found.tree))) == len(FIRST) + (commit == remote.middle)


def test_directories_that_nobody_wants_to_look_into_are_passed_over(remote: Remote) -> None:
    asked: list[bytes] = []

    def everywhere(directory: bytes) -> bool:
        asked.append(directory)
        return True

    with remote.opened() as repository:
        repository.fetch([remote.first], without_blobs=True)
        tree = repository.commit(remote.first).tree
        found = {entry.path for entry in repository.entries(tree, into=lambda directory: directory != b"core")}
        assert found == {b"a.md", b"link.md", b".hidden/c.md"}
        found = {entry.path for entry in repository.entries(tree, into=everywhere)}
        assert found == {path.encode() for path in FIRST}
    assert set(asked) == {b"core", b"core/deep", b".hidden"}


def test_entries_and_blobs_are_as_the_objects_say(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch([remote.first], without_blobs=False)
        entries = list(repository.entries(repository.commit(remote.first).tree))
        found = {entry.path: (entry.mode, bytes(repository.blob(entry.oid))) for entry in entries}
        assert found == {
            b"a.md": (0o100644, b"one\r\n"),
            b"core/deep/b.md": (0o100644, b"b\n"),
            b"core/run.sh": (0o100755, b"#!/bin/sh\n"),
            b".hidden/c.md": (0o100644, b""),
            b"link.md": (0o120000, b"a.md"),
        }
        assert {entry.path: repository.blob_size(entry.oid) for entry in entries}[b"a.md"] == 5


def test_blobs_may_come_later_and_only_some_of_them(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch([remote.last], without_blobs=True)
        oids = {entry.path: entry.oid for entry in repository.entries(repository.commit(remote.last).tree)}
        repository.fetch_blobs([oids[b"a.md"], oids[b"link.md"]])
        repository.fetch_blobs([oids[b"a.md"]])
        assert bytes(repository.blob(oids[b"a.md"])) == b"three\n"


def test_no_blobs_are_no_transfer(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch_blobs([])


def test_a_tag_is_fetched_with_its_commit_and_can_be_looked_at(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch([remote.tag], without_blobs=False)
        assert repository.commit(remote.tag) == repository.commit(remote.first)
        signed = repository.signed(remote.tag)
        assert signed.payload.startswith(f"object {remote.first}\ntype commit\ntag v1\n".encode())
        assert signed.signature is None


def test_a_shortened_id_is_completed_from_the_whole_history(remote: Remote) -> None:
    with remote.opened() as repository:
        assert repository.expand(remote.middle[:10]) == remote.middle
        assert repository.expand(remote.middle[:10].upper()) == remote.middle
        assert repository.expand("0" * 20) is None


def test_a_beginning_of_several_commits_is_refused(remote: Remote) -> None:
    with remote.opened() as repository, pytest.raises(ConfigInvalid):
        repository.expand("")


def test_a_commit_that_the_remote_does_not_have_is_an_error(remote: Remote) -> None:
    with remote.opened() as repository, pytest.raises(NetworkError):
        repository.fetch(["0123456789" * 4], without_blobs=False)


def test_a_commit_can_be_had_after_another_was_refused(remote: Remote) -> None:
    with remote.opened() as repository:
        with pytest.raises(NetworkError):
            repository.fetch(["0123456789" * 4, remote.last], without_blobs=False)
        repository.fetch([remote.last], without_blobs=False)
        assert repository.commit(remote.last).commit == remote.last


def test_what_was_not_fetched_is_not_there(remote: Remote) -> None:
    with remote.opened() as repository:
        repository.fetch([remote.last], without_blobs=False)
        with pytest.raises(NetworkError):
            repository.blob("0123456789" * 4)


def test_an_address_without_a_repository_is_an_error(remote: Remote) -> None:
    nowhere = remote.address.replace("rules.git", "nothing.git").replace("memory", "nothing")
    with (
        remote.host.open(nowhere, timeout_s=60.0, max_bytes=1_000, cancellation=Cancellation()) as repository,
        pytest.raises(NetworkError),
    ):
        repository.advertised()


def test_an_address_that_starts_a_program_is_refused(remote: Remote) -> None:
    with (
        pytest.raises(Untrusted),
        remote.host.open("ext::sh -c true", timeout_s=60.0, max_bytes=1_000, cancellation=Cancellation()),
    ):
        pass


def test_a_transfer_that_is_too_large_is_stopped(remote: Remote) -> None:
    with remote.opened(max_bytes=1_200_000) as repository, pytest.raises(LimitExceeded):
        repository.fetch([remote.middle], without_blobs=False)


def test_a_transfer_that_is_large_but_within_bounds_is_not(remote: Remote) -> None:
    with remote.opened(max_bytes=4_000_000) as repository:
        repository.fetch([remote.middle], without_blobs=False)
        assert repository.commit(remote.middle).commit == remote.middle
