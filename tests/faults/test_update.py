"""An `update` on a failing disk, and on a full one: exit 17, from the git library and from git too, and no lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.builders.repositories import a_git_repository
from tests.faults.update_driver import update
from tests.real.components import require

_ROOT = Path(__file__).resolve().parents[2]
_READING = ("openat", "read", "pread64", "close", "flock", "unlinkat")
_WRITING = ("write", "pwrite64", "mkdir", "mkdirat", "renameat", "fsync")
_LOOKING = ("newfstatat", "getdents64")  # where these fail in the `git-upload-pack` of a file:// remote, it is at fault
_CALLS = {"git": _READING + _WRITING, "libgit2": _READING + _WRITING + _LOOKING}
_NUMBERS = {"git": (1, 3, 9, 27), "libgit2": (2, 7)}
"""Of the call of its kind that fails, in each thread and process of the update."""
_DONE, _FILE_SYSTEM = 0, 17


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {f"rules/part-{number % 3}/{number}.md": f"rule {number}\n" * 50 for number in range(12)}
    return a_git_repository(tmp_path_factory.mktemp("upstream") / "rules", files).path


def a_project(directory: Path, repository: Path) -> Path:
    """A project that was never locked, with an empty home beside it."""
    for path in (directory, Path(f"{directory}-home")):
        path.mkdir(parents=True)
    source = f"{{name: rules, type: git, repo: '{repository.as_uri()}', ref: main, paths: [rules/]}}"
    target = "{source: rules, tools: [cursor]}"
    (directory / "agent-sync.yaml").write_text(f"version: 1\nsources:\n  - {source}\ntargets:\n  - {target}\n")
    return directory


class Updates:
    """Updates of projects, each in a process of its own that makes no call before it begins."""

    def __init__(self, driver: subprocess.Popen[str]) -> None:
        self._driver = driver

    def run(self, directory: Path, call: str, number: int, error: str) -> int:
        """The exit code, where the call of this number and kind fails with this error."""
        assert self._driver.stdin is not None
        self._driver.stdin.write(f"{directory}\n")
        self._driver.stdin.flush()
        inject = ["-e", f"trace={call}", f"--inject={call}:error={error}:when={number}"]
        child = int(self._said())
        words = [str(require("strace")), "-f", "-o", "/dev/null", *inject, "-p", str(child)]
        with subprocess.Popen(words, stderr=PIPE, text=True) as strace:
            assert strace.stderr is not None
            assert "attached" in strace.stderr.readline()
            os.kill(child, signal.SIGUSR1)
            ended = int(self._said())
            strace.communicate(timeout=60)
        return ended

    def _said(self) -> str:
        assert self._driver.stdout is not None
        return self._driver.stdout.readline().strip()


@pytest.fixture(scope="module", params=["git", "libgit2"])
def kind(request: pytest.FixtureRequest) -> str:
    """What brings the objects."""
    return str(request.param)


@pytest.fixture(scope="module")
def updates(tmp_path_factory: pytest.TempPathFactory, repository: Path, kind: str) -> Iterator[Updates]:
    warm = a_project(tmp_path_factory.mktemp("warm") / "project", repository)
    words = [sys.executable, "-B", "-m", "tests.faults.update_driver", str(warm), kind]
    environment = {"PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}", "PATH": os.environ["PATH"]}
    with subprocess.Popen(words, cwd=_ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as driver:
        yield Updates(driver)
        driver.communicate(timeout=60)


def test_an_error_of_the_disk_is_exit_17_and_leaves_no_lock(
    tmp_path: Path, repository: Path, updates: Updates, kind: str
) -> None:
    seen: dict[tuple[str, int, str], int] = {}
    project = tmp_path
    for call in _CALLS[kind]:
        errors = cycle(("EIO", "ENOSPC") if call in _WRITING else ("EIO",))
        for number, error in zip(_NUMBERS[kind], errors, strict=False):
            project = a_project(tmp_path / f"{call}-{number}", repository)
            ended = seen[call, number, error] = updates.run(project, call, number, error)
            assert (project / "agent-sync.lock").exists() == (ended == _DONE)
    assert {when: ended for when, ended in seen.items() if ended not in (_DONE, _FILE_SYSTEM)} == {}
    assert {call for (call, _, _), ended in seen.items() if ended == _FILE_SYSTEM} >= {
        "openat",
        "read",
        "write",
        "mkdir",
    }
    assert update(str(project), git=kind == "git") == _DONE
