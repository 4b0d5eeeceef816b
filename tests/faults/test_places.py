"""Layouts and archives on a bad day: killed, or refused by the system, at every call that writing to them makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync_oci.errors import NotFound
from agent_sync_oci.manifest import SIGSTORE_BUNDLE
from agent_sync_oci.registry.archive import ArchiveRegistry
from agent_sync_oci.registry.files import TEMPORARY
from agent_sync_oci.registry.image_layout import ImageLayout
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.transfer.referrers import referrers
from tests.builders.artifacts import blob_of, put_artifact
from tests.faults.injected import Injected, Moment
from tests.faults.injected_driver import DONE, FAULT, put_a_signed_artifact

OPEN: dict[str, Callable[[Path], ImageLayout]] = {
    "layout": lambda directory: LayoutRegistry(str(directory / "layout")),
    "archive": lambda directory: ArchiveRegistry(str(directory / "it.tar")),
}
READING = {"read", "pread64", "newfstatat", "close"}


@pytest.fixture(params=OPEN)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def injected(tmp_path: Path, kind: str) -> Injected:
    (tmp_path / "strace").mkdir()
    a_directory(tmp_path / "warm", kind)
    return Injected(tmp_path / "strace")


def a_directory(path: Path, kind: str) -> Path:
    """A directory in which such a place holds one artifact at the tag `v1`."""
    path.mkdir(parents=True)
    with OPEN[kind](path) as registry:
        put_artifact(registry, b"one", tag="v1")
    return path


def each_at_its_moment(tmp_path: Path, kind: str, moments: list[Moment]) -> dict[Path, Moment]:
    return {
        a_directory(tmp_path / "at" / f"{syscall}-{number}", kind): Moment(syscall, number)
        for syscall, number in moments
    }


def assert_whole(directory: Path, kind: str) -> bool:
    """What was there before is, and the new artifact is there with its signature, or is not at all."""
    with OPEN[kind](directory) as registry:
        before = registry.manifest("v1")
        assert [blob_of(registry, layer) for layer in before.layers] == [b"one"]  # type: ignore[union-attr]
        try:
            new = registry.manifest("v2")
        except NotFound:
            return False
        assert [blob_of(registry, layer) for layer in new.layers] == [b"two" * 100]  # type: ignore[union-attr]
        assert len(referrers(registry, new.digest, artifact_type=SIGSTORE_BUNDLE)) == 1
        return True


def assert_goes_on(directory: Path, kind: str) -> None:
    """Doing it again succeeds, and nothing unfinished is left."""
    put_a_signed_artifact(OPEN[kind](directory))
    assert assert_whole(directory, kind)
    left = [name for _, _, names in os.walk(directory) for name in names if name.startswith(TEMPORARY)]
    assert left == []


def test_a_kill_at_any_call_leaves_a_place_that_is_whole(tmp_path: Path, kind: str, injected: Injected) -> None:
    moments = injected.moments(kind, a_directory(tmp_path / "counted", kind))
    assert {"write", "renameat", "openat", "flock"} <= {moment.syscall for moment in moments}
    at = each_at_its_moment(tmp_path, kind, moments)
    injected.kill(kind, at)
    assert {assert_whole(directory, kind) for directory in at} == {True, False}
    for directory in at:
        assert_goes_on(directory, kind)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_at_any_call_is_ours_and_leaves_a_place_that_is_whole(
    tmp_path: Path, kind: str, injected: Injected, error: str
) -> None:
    moments = injected.moments(kind, a_directory(tmp_path / "counted", kind))
    at = each_at_its_moment(tmp_path, kind, moments)
    ended = injected.fail(kind, at, error)
    assert set(ended) == {DONE, FAULT}
    for directory, status in zip(at, ended, strict=True):
        assert assert_whole(directory, kind) or status == FAULT
        assert_goes_on(directory, kind)


def test_a_kill_while_a_place_is_made_leaves_one_that_can_be_used(
    tmp_path: Path, kind: str, injected: Injected
) -> None:
    (tmp_path / "counted").mkdir()
    at = {}
    for syscall, number in injected.moments(kind, tmp_path / "counted"):
        directory = tmp_path / "at" / f"{syscall}-{number}"
        directory.mkdir(parents=True)
        at[directory] = Moment(syscall, number)
    injected.kill(kind, at)
    for directory in at:
        with OPEN[kind](directory) as registry:
            assert set(registry.tags()) <= {"v2"}
        put_a_signed_artifact(OPEN[kind](directory))
        with OPEN[kind](directory) as registry:
            assert registry.tags() == ("v2",)
            assert len(registry.referrers(registry.manifest("v2").digest)) == 1
