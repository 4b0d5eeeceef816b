"""Listing the cache, and auditing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent_sync.errors import Cancelled
from agent_sync.events import BlobSetAside, Event, Progressed
from agent_sync.lock.file import lock_bytes
from agent_sync.lock.model import Lock, LockedSource, Rendered, Transformed
from agent_sync.ports import Cancellation
from agent_sync.sources.content import PackedTree
from agent_sync.sources.git import GitDeclaration, GitPin
from agent_sync.sources.local import LocalDeclaration, LocalPin
from agent_sync.sources.url import UrlDeclaration, UrlPin
from agent_sync.store.audit import Use, list_blobs
from agent_sync.store.cache import Cache
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.stores import a_cache, place, put
from tests.builders.trees import a_packed_tree, a_tree, sha256

RECIPE = Digest.of(b"recipe")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return a_cache(tmp_path / "store")


def a_git_source(name: str, packed: PackedTree, transformed: Transformed | None = None) -> LockedSource:
    return LockedSource(name, GitDeclaration(repo="r", ref="main"), GitPin("c" * 40, "d" * 40, packed), transformed)


def audited(cache: Cache) -> tuple[list[str], tuple[Digest, ...]]:
    result = cache.verify()
    return [str(error) for error in result.disagreements], result.corrupt


def test_each_blob_is_listed_with_who_needs_it(cache: Cache) -> None:
    git, changed, rendered = (a_packed_tree({"a.md": text}, cache.blobs) for text in ("git", "changed", "rendered"))
    local = a_packed_tree({"b.md": "local"}, cache.blobs)
    url = put(b"policy", cache.blobs)
    alone = put(b"alone", cache.blobs)
    lock = Lock(
        sources=(
            a_git_source("rules", git, Transformed(RECIPE, changed)),
            LockedSource(
                "policy",
                UrlDeclaration(url="https://x.test/p", checksum=""),
                UrlPin("https://x.test/p", sha256("policy"), RelPath("p")),
            ),
            LockedSource("own", LocalDeclaration(path="own"), LocalPin("own", local)),
        ),
        rendered=Rendered(RECIPE, rendered, dict.fromkeys(rendered.files, "rules")),
    )
    text = lock_bytes(lock)
    cache.roots.remember(text, path="/one/agent-sync.lock")
    cache.roots.remember(text, path="/two/agent-sync.lock")
    uses = {each.digest: {use.what for use in each.uses} for each in list_blobs(cache)}
    assert uses == {
        git.blob: {"source rules"},
        changed.blob: {"source rules, transformed"},
        local.blob: {"source own"},
        url: {"source policy"},
        rendered.blob: {"rendered files"},
        Digest.of(text): {"the lock"},
        alone: set(),
    }
    listed = list_blobs(cache)
    assert [each.digest for each in listed] == sorted(uses)
    assert {each.digest: each.size for each in listed}[alone] == 5
    assert next(each.uses for each in listed if each.digest == url) == (
        Use("/one/agent-sync.lock", "source policy"),
        Use("/two/agent-sync.lock", "source policy"),
    )


def test_a_lock_that_cannot_be_read_here_still_says_what_it_mentions(cache: Cache) -> None:
    blob = put(b"needed", cache.blobs)
    cache.roots.remember(f"version: 9\nblob: {blob}\n".encode(), path="/new/agent-sync.lock")
    uses = {each.digest: each.uses for each in list_blobs(cache)}
    assert uses[blob] == (Use("/new/agent-sync.lock", "a digest in it"),)


def test_an_empty_store_lists_nothing(cache: Cache) -> None:
    assert list_blobs(cache) == ()


def test_a_sound_store_passes_its_audit(cache: Cache) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    cache.roots.remember(lock_bytes(Lock((a_git_source("rules", packed),))), path="/one/agent-sync.lock")
    put(b"loose", cache.blobs)
    events: list[Event] = []
    result = replace(cache, observer=events.append).verify()
    assert (result.checked, result.corrupt, result.disagreements) == (3, (), ())
    assert events[-1] == Progressed("verifying the cache", 3, 3)


def test_corrupt_blobs_are_set_aside_and_reported(cache: Cache, tmp_path: Path) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    assert packed.blob is not None
    cache.roots.remember(lock_bytes(Lock((a_git_source("rules", packed),))), path="/one/agent-sync.lock")
    loose = put(b"loose", cache.blobs)
    directory = tmp_path / "store"
    for digest in (packed.blob, loose):
        bytes_there = place(directory, digest).read_bytes()
        place(directory, digest).write_bytes(bytes_there[:-1] + b"?")
    events: list[Event] = []
    result = replace(cache, observer=events.append).verify()
    assert set(result.corrupt) == {packed.blob, loose}
    assert {event.digest for event in events if isinstance(event, BlobSetAside)} == {packed.blob, loose}
    assert {file.name for file in (directory / "corrupt").iterdir()} == {packed.blob.hex, loose.hex}
    assert cache.blobs.size(loose) is None
    assert audited(cache) == ([], ())


def test_a_lock_that_lies_is_reported_once_and_its_blob_stays(cache: Cache) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    lie = PackedTree(a_tree({"a.md": "other"}), packed.blob, packed.size, packed.nar_hash)
    cache.roots.remember(lock_bytes(Lock((a_git_source("rules", packed),))), path="/true/agent-sync.lock")
    for checkout in ("/lie", "/other"):
        cache.roots.remember(lock_bytes(Lock((a_git_source("rules", lie),))), path=f"{checkout}/agent-sync.lock")
    disagreements, corrupt = audited(cache)
    assert len(disagreements) == 1
    assert disagreements[0].startswith("/lie/agent-sync.lock, source rules: the list of files and the blob disagree")
    assert corrupt == ()
    assert packed.blob in cache.blobs.digests()


def test_an_audit_can_be_cancelled(cache: Cache) -> None:
    put(b"blob", cache.blobs)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        replace(cache, cancellation=cancellation).verify()
