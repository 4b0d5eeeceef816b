"""What every BlobStore promises (ports.py): the one on the disk and the one that tests use in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_sync.errors import BytesUnavailable, DigestMismatch
from agent_sync.ports import BlobStore
from agent_sync.store.cache import cache_at
from agent_sync_oci.digest import Digest, blob_path
from tests.builders.stores import StoppedClock, a_disk_store, place
from tests.fakes.directory import MemoryDirectory
from tests.fakes.store import MemoryStore

ABSENT = Digest.of(b"never written")


class Broken(Exception):
    """What a caller may raise while it writes."""


@dataclass
class Made:
    """A store, and a way to give a blob other bytes behind its back."""

    store: BlobStore
    damage: Callable[[Digest, bytes], object]


def in_memory(_: Path) -> Made:
    store = MemoryStore()
    return Made(store, store.blobs.__setitem__)


def on_disk(tmp_path: Path) -> Made:
    directory = tmp_path / "store"
    return Made(a_disk_store(directory), lambda digest, content: place(directory, digest).write_bytes(content))


def in_a_directory_in_memory(_: Path) -> Made:
    directory = MemoryDirectory()
    cache = cache_at(lambda: "/memory", lambda *_, **__: directory, StoppedClock())
    return Made(cache.blobs, lambda digest, content: directory.put(blob_path(digest), content))


@pytest.fixture(params=[in_memory, on_disk, in_a_directory_in_memory])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    make: Callable[[Path], Made] = request.param
    return make(tmp_path)


@pytest.fixture
def store(made: Made) -> BlobStore:
    return made.store


def put(store: BlobStore, *chunks: bytes, expected: Digest | None = None) -> Digest:
    with store.writer() as writer:
        for chunk in chunks:
            writer.write(chunk)
        return writer.commit(expected)


def put_until_it_breaks(store: BlobStore, chunk: bytes) -> None:
    with store.writer() as writer:
        writer.write(chunk)
        raise Broken


def content(store: BlobStore, digest: Digest) -> bytes:
    with store.open(digest) as file:
        return file.read()


@pytest.mark.parametrize("chunks", [(b"one",), (b"one", b"", b"two"), (), (bytes(3_000_000),)])
def test_what_was_written_is_there_under_its_digest(store: BlobStore, chunks: tuple[bytes, ...]) -> None:
    whole = b"".join(chunks)
    digest = put(store, *chunks)
    assert digest == Digest.of(whole)
    assert store.size(digest) == len(whole)
    assert content(store, digest) == whole


def test_the_store_tells_what_all_blobs_take(store: BlobStore) -> None:
    assert store.total_bytes() == 0
    for blob in (b"one", b"three", b"one"):
        put(store, blob)
    assert store.total_bytes() == 8
    assert store.name


def test_an_open_blob_can_be_read_from_any_place(store: BlobStore) -> None:
    with store.open(put(store, b"0123456789")) as file:
        file.seek(7)
        assert file.read(2) == b"78"
        file.seek(0)
        assert file.read(100) == b"0123456789"
        assert file.read(1) == b""


def test_what_was_never_written_is_not_here(store: BlobStore) -> None:
    assert store.size(ABSENT) is None
    with pytest.raises(BytesUnavailable, match=ABSENT):
        store.open(ABSENT)


def test_nothing_is_visible_before_it_is_committed(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"one")
        assert store.size(Digest.of(b"one")) is None
        writer.commit()
        assert store.size(Digest.of(b"one")) == 3


def test_nothing_stays_without_a_commit(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"one")
    assert store.size(Digest.of(b"one")) is None
    with pytest.raises(Broken):
        put_until_it_breaks(store, b"one")
    assert store.size(Digest.of(b"one")) is None


def test_what_this_process_has_written_is_known(store: BlobStore) -> None:
    digest = put(store, b"content")
    assert store.wrote(digest)
    assert not store.wrote(ABSENT)


def test_what_was_there_before_is_not_taken_for_what_was_written(made: Made) -> None:
    digest = Digest.of(b"content")
    put(made.store, b"something else")  # makes the place where blobs lie
    made.damage(digest, b"damaged")
    assert put(made.store, b"content") == digest
    assert not made.store.wrote(digest)


def test_what_was_set_aside_is_no_longer_what_was_written(made: Made) -> None:
    digest = put(made.store, b"content")
    made.damage(digest, b"damaged")
    made.store.set_aside(digest)
    assert not made.store.wrote(digest)


def test_bytes_with_the_expected_digest_are_accepted(store: BlobStore) -> None:
    assert put(store, b"one", expected=Digest.of(b"one")) == Digest.of(b"one")


def test_bytes_with_another_digest_than_the_expected_are_refused(store: BlobStore) -> None:
    with pytest.raises(DigestMismatch) as refused:
        put(store, b"one", expected=ABSENT)
    assert ABSENT in refused.value.subject
    assert Digest.of(b"one").hex in refused.value.check
    assert store.size(ABSENT) is None
    assert store.size(Digest.of(b"one")) is None


def test_writing_a_blob_again_changes_nothing(store: BlobStore) -> None:
    digest = put(store, b"one")
    with store.open(digest) as file:
        assert put(store, b"one") == digest
        assert file.read() == b"one"
    assert content(store, digest) == b"one"


def test_two_writers_do_not_disturb_each_other(store: BlobStore) -> None:
    with store.writer() as first, store.writer() as second:
        first.write(b"on")
        second.write(b"tw")
        first.write(b"e")
        second.write(b"o")
        second.commit()
        first.commit()
    assert content(store, Digest.of(b"one")) == b"one"
    assert content(store, Digest.of(b"two")) == b"two"


def test_threads_may_write_at_once(store: BlobStore) -> None:
    blobs = [f"blob {number % 10}".encode() * 1000 for number in range(40)]
    threads = [threading.Thread(target=put, args=(store, blob)) for blob in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(content(store, Digest.of(blob)) == blob for blob in blobs)


def test_a_corrupt_blob_that_is_set_aside_is_no_longer_here(made: Made) -> None:
    store = made.store
    digest = put(store, b"whole")
    made.damage(digest, b"wrong")
    assert content(store, digest) == b"wrong"
    store.set_aside(digest)
    assert store.size(digest) is None
    with pytest.raises(BytesUnavailable):
        store.open(digest)
    put(store, b"whole")
    assert content(store, digest) == b"whole"


def test_a_whole_blob_is_not_set_aside(store: BlobStore) -> None:
    """Another process may have replaced the corrupt one between our reading and our asking."""
    digest = put(store, b"whole")
    store.set_aside(digest)
    assert content(store, digest) == b"whole"


def test_setting_aside_what_is_not_here_does_nothing(store: BlobStore) -> None:
    store.set_aside(ABSENT)
    assert store.size(ABSENT) is None
