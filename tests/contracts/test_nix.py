"""The contract of `ports.Nix`: the one in memory and the one that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.nix import InstalledNix
from agent_sync.errors import Cancelled, FileSystemError
from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.nix.store_paths import Pinned, nar_sha256, path_of_tree
from agent_sync.ports import Cancellation, Nix
from agent_sync.store.contents import Contents
from tests.builders.trees import GOLDEN_FILES, a_packed_tree
from tests.fakes.nix import MemoryNix
from tests.fakes.store import MemoryStore
from tests.real.nix import a_nix


@pytest.fixture(params=["memory", "installed"])
def nix(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nix]:
    if request.param == "memory":
        yield MemoryNix(DiskDirectory)
        return
    machine = a_nix(tmp_path / "nix")
    yield InstalledNix(machine.environment)
    machine.forget()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "a cache").mkdir()
    return tmp_path / "a cache"


def a_cached_tree(nix: Nix, cache: Path) -> str:
    """The path of the golden tree, which the cache has."""
    store = MemoryStore()
    packed = a_packed_tree(GOLDEN_FILES, store)
    pinned = Pinned("a tree", path_of_tree(nar_sha256(packed), store_dir=nix.store_dir), packed)
    binary_cache = BinaryCache(DiskDirectory(str(cache)), store_dir=nix.store_dir)
    binary_cache.begin()
    with Contents(store) as contents:
        pinned.add_to(contents)
        binary_cache.add(pinned, contents, cancellation=Cancellation())
    binary_cache.finish()
    return pinned.path


def test_the_hash_of_a_directory_is_that_of_its_tree(nix: Nix, tmp_path: Path) -> None:
    for path, content in GOLDEN_FILES.items():
        place = tmp_path / "tree" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(0o755 if path == "tools/run.sh" else 0o644)
    said = nix.hash(str(tmp_path / "tree"), cancellation=Cancellation())
    assert said == a_packed_tree(GOLDEN_FILES, MemoryStore()).nar_hash


def test_what_is_not_there_has_no_hash(nix: Nix, tmp_path: Path) -> None:
    with pytest.raises(FileSystemError):
        nix.hash(str(tmp_path / "nothing"), cancellation=Cancellation())


def test_a_path_that_the_cache_has_is_copied(nix: Nix, cache: Path) -> None:
    path = a_cached_tree(nix, cache)
    nix.copy([path], cache=str(cache), cancellation=Cancellation())
    nix.copy([path], cache=str(cache), cancellation=Cancellation())


def test_a_path_that_the_cache_lacks_is_refused(nix: Nix, cache: Path) -> None:
    a_cached_tree(nix, cache)
    with pytest.raises(FileSystemError):
        nix.copy([path_of_tree(bytes(32), store_dir=nix.store_dir)], cache=str(cache), cancellation=Cancellation())


def test_a_cache_that_was_tampered_with_is_refused(nix: Nix, cache: Path) -> None:
    path = a_cached_tree(nix, cache)
    for nar in (cache / "blobs" / "sha256").iterdir():
        nar.write_bytes(nar.read_bytes().replace(b"one\n", b"two\n"))
    with pytest.raises(FileSystemError):
        nix.copy([path], cache=str(cache), cancellation=Cancellation())


def test_copying_can_be_cancelled(nix: Nix, cache: Path) -> None:
    path = a_cached_tree(nix, cache)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        nix.copy([path], cache=str(cache), cancellation=cancellation)
