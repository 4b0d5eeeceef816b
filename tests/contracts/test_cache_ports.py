"""What the cache promises beside its blobs (ports.blobs): lock roots, records, and scratch directories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_sync.ports import Kind, LockRoots, RecordStore
from agent_sync.store.cache import cache_at
from agent_sync.tree import ROOT, RelPath
from tests.builders.stores import StoppedClock, a_cache
from tests.fakes.directory import MemoryDirectory
from tests.fakes.store import MemoryStore

ONE, TWO = "1" * 64, "2" * 64


class Broken(Exception):
    """What a caller may raise while it works."""


@dataclass
class Made:
    """Two of the ports of one cache."""

    roots: LockRoots
    records: RecordStore


def in_memory(_: Path) -> Made:
    store = MemoryStore()
    return Made(store, store)


def on_disk(tmp_path: Path) -> Made:
    cache = a_cache(tmp_path / "cache")
    return Made(cache.roots, cache.records)


def in_a_directory_in_memory(_: Path) -> Made:
    directory = MemoryDirectory()
    cache = cache_at(lambda: "/memory", lambda *_, **__: directory, StoppedClock())
    return Made(cache.roots, cache.records)


@pytest.fixture(params=[in_memory, on_disk, in_a_directory_in_memory])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    make: Callable[[Path], Made] = request.param
    return make(tmp_path)


def test_remembering_a_lock_can_be_repeated(made: Made) -> None:
    for _ in range(2):
        made.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")


def test_records_are_found_by_kind_and_by_the_beginning_of_their_key(made: Made) -> None:
    made.records.record("bundles", f"{TWO}.{ONE}", b"c")
    made.records.record("bundles", f"{ONE}.{TWO}", b"b")
    made.records.record("bundles", ONE, b"a")
    made.records.record("signers", ONE, b"d")
    assert made.records.records("bundles", ONE) == ((ONE, b"a"), (f"{ONE}.{TWO}", b"b"))
    assert [key for key, _ in made.records.records("bundles", "")] == [ONE, f"{ONE}.{TWO}", f"{TWO}.{ONE}"]
    assert made.records.records("signers", TWO) == ()
    assert made.records.records("others", "") == ()


def test_a_record_replaces_the_one_of_its_key(made: Made) -> None:
    made.records.record("signers", ONE, b"before")
    made.records.record("signers", ONE, b"after")
    assert made.records.records("signers", ONE) == ((ONE, b"after"),)


def test_a_scratch_directory_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    scratch = a_cache(tmp_path / "cache").directory.scratch
    with scratch() as first, scratch() as second:
        assert first.names(ROOT) == ()
        first.create(RelPath("in/a.md"), (b"text",))
        assert second.stat(RelPath("in/a.md")) is None
        stat = first.stat(RelPath("in"))
        assert stat is not None
        assert stat.kind is Kind.DIRECTORY
        places = [Path(first.name), Path(second.name)]
        assert all(place.is_dir() for place in places)
    assert not any(place.exists() for place in places)
    with pytest.raises(Broken), scratch() as third:
        raise Broken
    assert not Path(third.name).exists()
