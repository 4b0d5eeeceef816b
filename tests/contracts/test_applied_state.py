"""What every AppliedState promises (ports): the file in `.agent-sync/`, and the one that tests use in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.checkout import APPLIED, AppliedLock
from agent_sync.errors import FileSystemError
from agent_sync.ports import AppliedState, Directory
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.directories import a_directory, read, write
from tests.fakes.applied import MemoryAppliedState

KINDS: dict[str, tuple[str, Callable[[Directory], AppliedState]]] = {
    "file on the disk": ("disk", AppliedLock),
    "file in memory": ("memory", AppliedLock),
    "memory": ("memory", MemoryAppliedState),
}
STAGED = ".agent-sync/txn/applied.lock"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def directory(kind: str, tmp_path: Path) -> Directory:
    return a_directory(KINDS[kind][0], tmp_path)


@pytest.fixture
def state(kind: str, directory: Directory) -> AppliedState:
    return KINDS[kind][1](directory)


def test_nothing_is_applied_at_first(state: AppliedState) -> None:
    assert (state.read(), state.written_at_s(), state.witness()) == (None, None, None)


def test_a_staged_state_is_in_force_once_it_is_committed_and_is_staged_no_more(
    state: AppliedState, directory: Directory
) -> None:
    state.write(b"first")
    write(directory, STAGED, "second")
    assert state.read() == b"first"
    state.commit(RelPath(STAGED))
    assert state.read() == b"second"
    assert directory.stat(RelPath(STAGED)) is None


def test_a_commit_without_a_staged_state_changes_nothing(state: AppliedState) -> None:
    state.write(b"first")
    with pytest.raises(FileSystemError):
        state.commit(RelPath(STAGED))
    assert state.read() == b"first"


def test_the_time_is_that_of_the_last_commit(state: AppliedState) -> None:
    state.write(b"first")
    first = state.written_at_s()
    state.write(b"first")
    assert state.written_at_s() == first
    state.write(b"second")
    second = state.written_at_s()
    assert first is not None
    assert second is not None
    assert second >= first  # a file system's clock may tick but every few milliseconds


def test_the_witness_is_the_digest_of_what_was_written(state: AppliedState, directory: Directory) -> None:
    state.write(b"written")
    assert state.witness() == Digest.of(b"written")
    write(directory, STAGED, "committed")
    state.commit(RelPath(STAGED))
    assert state.witness() == Digest.of(b"committed")


def test_the_file_is_where_every_version_looks_for_it(tmp_path: Path) -> None:
    directory = a_directory("disk", tmp_path)
    AppliedLock(directory).write(b"lock")
    assert read(directory, APPLIED) == "lock"
    assert read(directory, ".agent-sync/.gitignore") == "*\n"
