"""The state of one checkout: made when it is needed, ignored by git, refused where it is not a directory of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_sync.checkout import Checkout
from agent_sync.errors import AgentSyncError, FileSystemError, LimitExceeded, ProjectBusy, UnsafePath
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync.ports import Kind
from agent_sync.tree import RelPath
from tests.builders.directories import files_of
from tests.fakes.directory import MemoryDirectory


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


def test_reading_makes_nothing(directory: MemoryDirectory) -> None:
    checkout = Checkout(directory)
    assert not checkout.is_there()
    assert (checkout.applied.read(), checkout.inherited(), checkout.applied.written_at_s(), checkout.kept.all()) == (
        None,
        None,
        None,
        (),
    )
    assert files_of(directory) == {}


def test_what_is_remembered_is_ignored_by_git(directory: MemoryDirectory) -> None:
    Checkout(directory).applied.write(b"lock")
    assert files_of(directory) == {".agent-sync/.gitignore": "*\n", ".agent-sync/applied.lock": "lock"}


def test_locks_are_remembered_and_forgotten(directory: MemoryDirectory) -> None:
    checkout = Checkout(directory)
    checkout.applied.write(b"applied")
    checkout.write_inherited(b"inherited")
    assert (checkout.applied.read(), checkout.inherited()) == (b"applied", b"inherited")
    assert (
        checkout.applied.written_at_s()
        == directory.node.entries[".agent-sync"].entries["applied.lock"].modified_ns / 1e9
    )
    checkout.write_inherited(None)
    assert checkout.inherited() is None


def test_to_remember_the_same_again_writes_nothing(directory: MemoryDirectory) -> None:
    Checkout(directory).applied.write(b"lock")
    calls: list[str] = []
    directory.machine.before_call = lambda verb, _: calls.append(verb)
    Checkout(directory).applied.write(b"lock")
    assert set(calls) == {"stat", "open"}


def test_the_project_is_held_once(directory: MemoryDirectory) -> None:
    checkout = Checkout(directory)
    with checkout.hold(), pytest.raises(ProjectBusy) as caught, checkout.hold():
        pass
    assert directory.name in caught.value.subject
    assert caught.value.remedy
    with checkout.hold():
        pass


EVERY_USE: dict[str, Callable[[Checkout], object]] = {
    "applied": lambda checkout: checkout.applied.read(),
    "inherited": lambda checkout: checkout.inherited(),
    "write": lambda checkout: checkout.applied.write(b"x"),
    "prepare": lambda checkout: checkout.prepare(),
    "hold": lambda checkout: checkout.hold().__enter__(),
}


@pytest.mark.parametrize("use", EVERY_USE)
def test_a_state_directory_that_is_a_symlink_is_refused(directory: MemoryDirectory, use: str) -> None:
    directory.put_other(".agent-sync", Kind.LINK)
    with pytest.raises(UnsafePath, match=r"\.agent-sync"):
        EVERY_USE[use](Checkout(directory))


@pytest.mark.parametrize("use", ["write", "prepare", "hold"])
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.OTHER])
def test_a_state_directory_that_is_no_directory_is_refused(directory: MemoryDirectory, use: str, kind: Kind) -> None:
    directory.put_other(".agent-sync", kind)
    with pytest.raises(FileSystemError, match=r"\.agent-sync"):
        EVERY_USE[use](Checkout(directory))


@pytest.mark.parametrize(("kind", "family"), [(Kind.LINK, UnsafePath), (Kind.OTHER, FileSystemError)])
def test_a_lock_in_it_that_is_no_file_is_refused(
    directory: MemoryDirectory, kind: Kind, family: type[AgentSyncError]
) -> None:
    directory.put_other(".agent-sync/applied.lock", kind)
    with pytest.raises(family):
        Checkout(directory).applied.read()


def test_a_lock_in_it_that_is_endless_is_refused(directory: MemoryDirectory) -> None:
    directory.put(".agent-sync/applied.lock", bytes(MAX_LOCK_BYTES + 1))
    with pytest.raises(LimitExceeded, match=r"applied\.lock"):
        Checkout(directory).applied.read()


def test_a_lost_ignore_file_is_made_again(directory: MemoryDirectory) -> None:
    Checkout(directory).prepare()
    directory.remove(RelPath(".agent-sync/.gitignore"))
    Checkout(directory).prepare()
    assert files_of(directory) == {".agent-sync/.gitignore": "*\n"}
