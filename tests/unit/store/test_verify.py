"""Verifying a whole blob: no bit can change, and no word of the lock can be wrong, without it being said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.errors import BlobCorrupt, BytesUnavailable, LockInvalid
from agent_sync.sources.content import PackedTree
from agent_sync.store.verify import verify_blob, verify_packed
from agent_sync.tree import Entry, RelPath, Tree
from agent_sync_oci.digest import Digest
from tests.builders.trees import GOLDEN_FILES, a_packed_tree, a_tree, program, sha256
from tests.fakes.store import MemoryStore


def test_a_whole_blob_and_a_true_lock_agree() -> None:
    store = MemoryStore()
    verify_packed(a_packed_tree(GOLDEN_FILES, store), store)
    verify_packed(a_packed_tree({}, store), store)
    verify_blob(store.put(b"policy"), store)


def test_every_flipped_bit_is_found() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a/b.md": "text", "run": program("x")}, store)
    assert packed.blob is not None
    whole = store.blobs[packed.blob]
    for offset, byte in enumerate(whole):
        store.blobs[packed.blob] = whole[:offset] + bytes([byte ^ 1]) + whole[offset + 1 :]
        with pytest.raises(BlobCorrupt, match=packed.blob):
            verify_packed(packed, store)


@pytest.mark.parametrize("blob", [b"", b"x", b"whole blob!"], ids=["empty", "other", "longer"])
def test_a_loose_blob_with_other_bytes_is_corrupt(blob: bytes) -> None:
    store = MemoryStore()
    digest = store.put(b"whole blob")
    store.blobs[digest] = blob
    with pytest.raises(BlobCorrupt, match=f"the sha256 of its bytes is {Digest.of(blob).hex}"):
        verify_blob(digest, store)


def test_a_blob_that_is_not_here_is_unavailable() -> None:
    with pytest.raises(BytesUnavailable):
        verify_packed(a_packed_tree({"a.md": "text"}, MemoryStore()), MemoryStore())


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"files": a_tree({"a.md": "other"})}, rf'file "a\.md" has the sha256 {sha256("text")}'),
        ({"files": a_tree({"b.md": "text"})}, r'the header at byte 512 is not that of "b\.md"'),
        ({"files": a_tree({"a.md": program("text")})}, "the header at byte 512"),
        ({"size": 4096}, "the length is 2560 bytes, the lock says 4096"),
        ({"nar_hash": "sha256-" + "A" * 43 + "="}, "the narHash is sha256-"),
        ({"blob": None}, "the lock names no blob"),
    ],
    ids=["digest", "name", "mode", "length", "narHash", "no blob"],
)
def test_a_lock_that_says_something_else_of_a_whole_blob_is_blamed(lie: dict[str, object], said: str) -> None:
    store = MemoryStore()
    packed = replace(a_packed_tree({"a.md": "text"}, store), **lie)  # type: ignore[arg-type]  # its own fields
    with pytest.raises(LockInvalid, match=said) as refused:
        verify_packed(packed, store, subject="source rules")
    assert refused.value.subject == "source rules"


def test_the_first_files_that_differ_are_named() -> None:
    store = MemoryStore()
    packed = a_packed_tree(dict.fromkeys(("a.md", "b.md", "c.md"), "text"), store)
    lie = replace(packed, files=a_tree({"a.md": "other", "b.md": "text", "c.md": "another"}))
    with pytest.raises(LockInvalid, match=r'file "a\.md" has the sha256 .*; also changed "c\.md"'):
        verify_packed(lie, store)


def test_a_tar_that_is_not_canonical_is_refused_though_its_digest_is_right() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "text"}, store)
    assert packed.blob is not None
    whole = store.blobs[packed.blob]
    body_ends = whole.index(b"text") + 4
    smuggled = whole[:body_ends] + b"hidden in the padding" + whole[body_ends + 21 :]
    forged = replace(packed, blob=store.put(smuggled))
    with pytest.raises(LockInvalid, match=f"the files have another canonical tar: {packed.blob}"):
        verify_packed(forged, store)


def test_files_that_lie_in_another_order_are_not_this_tree() -> None:
    store = MemoryStore()
    packed = a_packed_tree({"a.md": "1", "b.md": "2"}, store)
    swapped = Tree.in_order({RelPath("b.md"): Entry(sha256("2")), RelPath("a.md"): Entry(sha256("1"))})
    with pytest.raises(LockInvalid, match="the header at byte 512"):
        verify_packed(PackedTree(swapped, packed.blob, packed.size, packed.nar_hash), store)
