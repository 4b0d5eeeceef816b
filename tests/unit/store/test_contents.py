"""Contents: the files of locked trees by digest, verified, out of tars that are only read where they must be."""

from __future__ import annotations

import threading
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import pytest

from agent_sync.errors import AgentSyncError, BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.lock.model import LockedSource
from agent_sync.sources.content import PackedTree
from agent_sync.sources.git import GitDeclaration, GitPin
from agent_sync.sources.url import UrlDeclaration, UrlPin
from agent_sync.store.contents import Contents
from agent_sync.tree import RelPath
from agent_sync.tree.tarball import BLOCK
from agent_sync_oci.digest import Digest
from tests.builders.stores import whole
from tests.builders.trees import GOLDEN_FILES, a_packed_tree, a_tree, as_bytes, program, sha256
from tests.fakes.store import MemoryStore

LARGE = bytes(range(256)) * 4096  # 1 MiB: several pieces


def contents_of(packed: PackedTree, store: MemoryStore) -> Contents:
    contents = Contents(store)
    contents.add_tree(packed)
    return contents


def changed(blob: bytes, offset: int, byte: bytes = b"!") -> bytes:
    return blob[:offset] + byte + blob[offset + 1 :]


def test_every_file_comes_out_as_it_went_in() -> None:
    store = MemoryStore()
    contents = contents_of(a_packed_tree({**GOLDEN_FILES, "large.bin": LARGE}, store), store)
    for content in (*GOLDEN_FILES.values(), LARGE):
        digest = sha256(content)
        assert whole(digest, contents) == as_bytes(content)
        assert contents.size(digest) == len(as_bytes(content))
        assert digest in contents


def test_a_loose_blob_is_a_file_too() -> None:
    store = MemoryStore()
    contents = Contents(store)
    contents.add_blob(store.put(b"policy"))
    assert whole(sha256("policy"), contents) == b"policy"
    assert contents.size(sha256("policy")) == 6


def test_a_source_of_the_lock_is_added_by_its_pin() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "from git"}, store)
    store.put(b"from a server")
    contents = Contents(store)
    contents.add_source(LockedSource("git", GitDeclaration(repo="r", ref="main"), GitPin("c" * 40, "t" * 40, packed)))
    contents.add_source(
        LockedSource(
            "url",
            UrlDeclaration(url="https://x.test/p", checksum=""),
            UrlPin("https://x.test/p", sha256("from a server"), RelPath("p")),
        )
    )
    assert whole(sha256("from git"), contents) == b"from git"
    assert whole(sha256("from a server"), contents) == b"from a server"


def test_a_source_whose_lock_names_no_blob_is_read_from_what_was_packed_instead() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    source = LockedSource(
        "git", GitDeclaration(repo="r", ref="main"), GitPin("c" * 40, "t" * 40, PackedTree(packed.files))
    )
    without, given = Contents(store), Contents(store)
    without.add_source(source)
    given.add_source(source, found=packed)
    assert sha256("text") not in without
    assert whole(sha256("text"), given) == b"text"


def test_no_blob_is_opened_before_it_is_needed_and_none_twice() -> None:
    store = MemoryStore()
    first = a_packed_tree({"a.md": "first", "b.md": "second"}, store)
    contents = contents_of(first, store)
    contents.add_tree(a_packed_tree({"c.md": "third"}, store))
    assert sha256("third") in contents
    assert store.opened == []
    whole(sha256("first"), contents)
    whole(sha256("second"), contents)
    assert store.opened == [first.blob]


def test_what_nobody_added_is_unavailable() -> None:
    contents = Contents(MemoryStore())
    assert sha256("text") not in contents
    with pytest.raises(BytesUnavailable, match="no tree of the lock"):
        contents.size(sha256("text"))


def test_a_blob_that_is_not_in_the_store_is_unavailable() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    store.blobs.clear()
    with pytest.raises(BytesUnavailable, match="not in the cache"):
        whole(sha256("text"), contents_of(packed, store))


@pytest.mark.parametrize("offset", [0, 100, 124, 148, 156, 257, 500, BLOCK + 3, BLOCK + 130, 2 * BLOCK])
def test_a_flipped_bit_in_a_header_or_a_body_is_found_on_reading(offset: int) -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    assert packed.blob is not None
    store.blobs[packed.blob] = changed(store.blobs[packed.blob], offset)
    with pytest.raises(BlobCorrupt) as refused:
        whole(sha256("text"), contents_of(packed, store))
    assert refused.value.digest == packed.blob
    assert refused.value.remedy


def test_a_flipped_bit_in_a_loose_blob_is_found_on_reading() -> None:
    store = MemoryStore()
    digest = store.put(b"policy")
    store.blobs[digest] = b"Policy"
    contents = Contents(store)
    contents.add_blob(digest)
    with pytest.raises(BlobCorrupt, match="the bytes do not match the name"):
        whole(sha256("policy"), contents)


def test_the_last_piece_of_a_changed_file_is_never_handed_out() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"large.bin": LARGE}, store)
    assert packed.blob is not None
    store.blobs[packed.blob] = changed(store.blobs[packed.blob], 2 * BLOCK)
    got: list[bytes] = []
    with pytest.raises(BlobCorrupt, match=r'file "large\.bin" in it has the sha256'):
        got.extend(contents_of(packed, store).chunks(sha256(LARGE)))
    assert sum(map(len, got)) < len(LARGE)


@pytest.mark.parametrize("content", [b"", b"text", LARGE])
def test_a_glance_shows_all_of_a_file(content: bytes) -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a": content}, store)
    assert b"".join(contents_of(packed, store).peek(sha256(content))) == content
    store.written.clear()
    assert b"".join(contents_of(packed, store).peek(sha256(content))) == content


@pytest.mark.parametrize("content", [b"text", LARGE])
def test_before_a_glance_shows_the_first_piece_all_are_verified(content: bytes) -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a": content}, store)
    assert packed.blob is not None
    store.blobs[packed.blob] = changed(store.blobs[packed.blob], 2 * BLOCK + len(content) - 1)
    store.written.clear()
    with pytest.raises(BlobCorrupt):
        next(contents_of(packed, store).peek(sha256(content)))


def test_what_this_process_has_written_is_not_hashed_again_for_a_glance() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a": "text"}, store)
    assert packed.blob is not None
    store.blobs[packed.blob] = store.blobs[packed.blob].replace(b"text", b"Text")
    assert list(contents_of(packed, store).peek(sha256("text"))) == [b"Text"]
    with pytest.raises(BlobCorrupt):
        list(contents_of(packed, store).chunks(sha256("text")))


@pytest.mark.parametrize("length", [0, 1, BLOCK, 3 * BLOCK + 1, -BLOCK, -1])
def test_a_truncated_blob_is_corrupt(length: int) -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    assert packed.blob is not None
    store.blobs[packed.blob] = store.blobs[packed.blob][:length]
    with pytest.raises(BlobCorrupt, match=r"the length is [0-9]+ bytes, the lock says 2560"):
        whole(sha256("text"), contents_of(packed, store))


def test_a_blob_that_is_cut_off_after_it_was_opened_is_corrupt() -> None:
    store = ShrinkingStore()
    contents = contents_of(a_packed_tree({"a.md": "text", "b.md": "more"}, store), store)
    whole(sha256("text"), contents)
    store.shrink(3 * BLOCK)
    with pytest.raises(BlobCorrupt):
        list(contents.chunks(sha256("more")))


def lying(packed: PackedTree, **lie: object) -> PackedTree:
    return replace(packed, **lie)  # type: ignore[arg-type]  # the parameters below are its fields


@pytest.mark.parametrize(
    "lie",
    [
        {"files": a_tree({"a.md": "other"})},
        {"files": a_tree({"b.md": "text"})},
        {"files": a_tree({"a.md": program("text")})},
        {"files": a_tree({"a.md": "text", "b.md": "text"})},
        {"size": 4096},
    ],
    ids=["another digest", "another name", "another mode", "one file more", "another length"],
)
def test_a_lock_that_lies_about_a_whole_blob_is_what_is_blamed(lie: dict[str, object]) -> None:
    store = MemoryStore()
    packed = lying(a_packed_tree({"a.md": "text"}, store), **lie)
    with pytest.raises(LockInvalid, match="the lock's list of files and the blob disagree"):
        whole(next(iter(packed.files.values())).sha256, contents_of(packed, store))


def test_the_lock_of_a_tree_with_fewer_files_than_its_blob_is_blamed() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text", "b.md": "more"}, store)
    fewer = replace(packed, files=packed.files.without([RelPath("b.md")]))
    with pytest.raises(LockInvalid, match="does not end at byte"):
        whole(sha256("text"), contents_of(fewer, store))


def test_a_whole_copy_that_replaces_a_corrupt_blob_is_read_by_the_same_contents() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    assert packed.blob is not None
    right = store.blobs[packed.blob]
    store.blobs[packed.blob] = changed(right, 2 * BLOCK)
    contents = contents_of(packed, store)
    with pytest.raises(BlobCorrupt):
        whole(sha256("text"), contents)
    store.set_aside(packed.blob)
    store.put(right)
    assert whole(sha256("text"), contents) == b"text"


def test_reading_goes_on_after_close() -> None:
    store = MemoryStore()
    with contents_of(a_packed_tree({"a.md": "text"}, store), store) as contents:
        whole(sha256("text"), contents)
    assert whole(sha256("text"), contents) == b"text"


def test_many_blobs_are_not_all_open_at_once() -> None:
    store = CountingStore()
    contents = Contents(store)
    texts = [f"text {number}" for number in range(100)]
    for text in texts:
        contents.add_tree(a_packed_tree({"a.md": text}, store))
    for text in texts * 2:
        assert whole(sha256(text), contents) == text.encode()
    assert 1 < len(store.files) - sum(file.closed for file in store.files) <= 32
    contents.close()
    assert all(file.closed for file in store.files)


def test_threads_may_read_at_once() -> None:
    store = MemoryStore()
    texts = [f"text {number} " * (number + 1) for number in range(200)]
    contents = contents_of(a_packed_tree({f"{n:03}.md": text for n, text in enumerate(texts)}, store), store)
    failed: list[str] = []

    def read(order: list[str]) -> None:
        for text in order:
            try:
                if b"".join(contents.chunks(sha256(text))) != text.encode():
                    failed.append(text)
            except AgentSyncError as error:
                failed.append(str(error))

    threads = [threading.Thread(target=read, args=(texts[n:] + texts[:n],)) for n in (0, 50, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


class CountingStore(MemoryStore):
    """Keeps every file that it has given out."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[BinaryIO] = []

    def open(self, digest: Digest) -> BinaryIO:
        self.files.append(super().open(digest))
        return self.files[-1]


class ShrinkingStore(CountingStore):
    """Its open files become shorter, as a file on the disk may."""

    def shrink(self, length: int) -> None:
        for digest in self.blobs:
            self.blobs[digest] = self.blobs[digest][:length]
        for file in self.files:
            assert isinstance(file, BytesIO)
            file.truncate(length)
