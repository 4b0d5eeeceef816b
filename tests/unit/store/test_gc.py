"""Reclaiming space: what a lock seen lately needs stays, everything else goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.errors import ProjectBusy
from agent_sync.lock.file import lock_bytes
from agent_sync.lock.model import Lock, LockedSource
from agent_sync.sources.content import PackedTree
from agent_sync.sources.git import GitDeclaration, GitPin
from agent_sync.sources.url import UrlDeclaration, UrlPin
from agent_sync.store.cache import Cache
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.stores import DAY_S, TODAY_S, StoppedClock, a_cache, gc, place, put
from tests.builders.trees import a_packed_tree, sha256


def a_lock(packed: PackedTree, *, url_content: str | None = None) -> bytes:
    """A lock with one git source, and one url source if `url_content` is given."""
    git = LockedSource("rules", GitDeclaration(repo="r", ref="main"), GitPin("c" * 40, "d" * 40, packed))
    url = LockedSource(
        "policy",
        UrlDeclaration(url="https://x.test/p", checksum=""),
        UrlPin("https://x.test/p", sha256(url_content or ""), RelPath("p")),
    )
    return lock_bytes(Lock((git, url) if url_content else (git,)))


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def cache(tmp_path: Path, clock: StoppedClock) -> Cache:
    return a_cache(tmp_path / "store", clock)


def test_what_a_lock_needs_stays_and_the_rest_goes(cache: Cache) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    loose = put(b"policy", cache.blobs)
    nobodys = put(b"nobody needs this", cache.blobs)
    lock = a_lock(packed, url_content="policy")
    cache.roots.remember(lock, path="/home/me/agent-sync.lock")
    result = gc(cache, now_s=TODAY_S)
    assert result.removed == (nobodys,)
    assert result.freed_bytes == len(b"nobody needs this")
    assert set(result.kept) == {packed.blob, loose, Digest.of(lock)} == set(cache.blobs.digests())
    assert result.forgotten == ()


def test_a_lock_keeps_its_blobs_for_90_days(cache: Cache) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    cache.roots.remember(a_lock(packed), path="/home/me/agent-sync.lock")
    assert gc(cache, now_s=TODAY_S + 90 * DAY_S).removed == ()
    result = gc(cache, now_s=TODAY_S + 90 * DAY_S + 1)
    assert packed.blob in result.removed
    assert [root.path for root in result.forgotten] == ["/home/me/agent-sync.lock"]
    assert cache.blobs.digests() == ()
    assert cache.roots.all() == ()


def test_a_lock_seen_again_keeps_its_blobs_from_then_on(cache: Cache, clock: StoppedClock) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    for days in (0, 60):
        clock.now = TODAY_S + days * DAY_S
        cache.roots.remember(a_lock(packed), path="/home/me/agent-sync.lock")
    assert gc(cache, now_s=TODAY_S + 120 * DAY_S).removed == ()


def test_how_long_a_lock_keeps_its_blobs_may_be_said(cache: Cache) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    cache.roots.remember(a_lock(packed), path="/home/me/agent-sync.lock")
    assert packed.blob in gc(cache, now_s=TODAY_S + 2 * DAY_S, keep_days=1).removed


def test_the_lock_of_a_checkout_that_moved_on_keeps_only_what_it_needs_now(cache: Cache) -> None:
    old, new = a_packed_tree({"a.md": "v1"}, cache.blobs), a_packed_tree({"a.md": "v2"}, cache.blobs)
    cache.roots.remember(a_lock(old), path="/home/me/agent-sync.lock")
    cache.roots.remember(a_lock(new), path="/home/me/agent-sync.lock")
    assert set(gc(cache, now_s=TODAY_S).removed) == {old.blob, Digest.of(a_lock(old))}


def test_two_checkouts_keep_what_either_needs(cache: Cache) -> None:
    old, new = a_packed_tree({"a.md": "v1"}, cache.blobs), a_packed_tree({"a.md": "v2"}, cache.blobs)
    cache.roots.remember(a_lock(old), path="/one/agent-sync.lock")
    cache.roots.remember(a_lock(new), path="/two/agent-sync.lock")
    assert gc(cache, now_s=TODAY_S).removed == ()


def test_a_lock_of_a_version_that_does_not_exist_yet_keeps_what_it_mentions(cache: Cache) -> None:
    needed = put(b"needed", cache.blobs)
    cache.roots.remember(f"version: 9\nthings: [{{content: {needed.hex}}}]\n".encode(), path="/new/agent-sync.lock")
    assert gc(cache, now_s=TODAY_S).removed == ()


def test_a_clock_that_went_back_removes_nothing(cache: Cache) -> None:
    cache.roots.remember(a_lock(a_packed_tree({"a.md": "text"}, cache.blobs)), path="/home/me/agent-sync.lock")
    assert gc(cache, now_s=0.0).removed == ()


def test_a_root_that_is_not_one_keeps_nothing_and_breaks_nothing(cache: Cache, tmp_path: Path) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    cache.roots.remember(a_lock(packed), path="/home/me/agent-sync.lock")
    roots = tmp_path / "store" / "roots"
    (roots / "junk.json").write_text("[" * 100_000)
    (roots / "list.json").write_text('["lock"]')
    (roots / "digest.json").write_text('{"lock": "sha256:../../x", "path": "/x", "seen_s": 1700000000}')
    (roots / "link.json").symlink_to("/etc/passwd")
    (roots / "directory.json").mkdir()
    assert gc(cache, now_s=TODAY_S).removed == ()
    assert [root.path for root in cache.roots.all()] == ["/home/me/agent-sync.lock"]


def test_a_corrupt_lock_is_set_aside_and_keeps_nothing(cache: Cache, tmp_path: Path) -> None:
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    lock = a_lock(packed)
    cache.roots.remember(lock, path="/home/me/agent-sync.lock")
    place(tmp_path / "store", Digest.of(lock)).write_bytes(lock.replace(b"rules", b"RULES"))
    assert gc(cache, now_s=TODAY_S).removed == (packed.blob,)
    assert cache.blobs.digests() == ()


def test_what_is_unfinished_or_corrupt_goes_too(cache: Cache, tmp_path: Path) -> None:
    digest = put(b"whole", cache.blobs)
    place(tmp_path / "store", digest).write_bytes(b"broken")
    cache.blobs.set_aside(digest)
    (tmp_path / "store" / "tmp" / "left").mkdir()
    (tmp_path / "store" / "tmp" / "left" / "file").write_text("x")
    gc(cache, now_s=TODAY_S)
    assert list((tmp_path / "store" / "corrupt").iterdir()) == []
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


def test_nothing_is_reclaimed_while_another_uses_the_store(cache: Cache, tmp_path: Path) -> None:
    nobodys = put(b"not remembered yet", cache.blobs)
    other = a_cache(tmp_path / "store")
    assert other.blobs.size(nobodys) is not None
    with pytest.raises(ProjectBusy, match="another process uses it"):
        gc(cache, now_s=TODAY_S, wait_s=0)
    other.blobs.close()
    assert gc(cache, now_s=TODAY_S, wait_s=0).removed == (nobodys,)


def test_the_store_can_be_used_after_reclaiming(cache: Cache) -> None:
    gc(cache, now_s=TODAY_S)
    assert cache.blobs.size(put(b"again", cache.blobs)) == 5
