"""A tar that is compared with the lock while it comes in: in whatever pieces, and whatever is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.errors import LockInvalid
from agent_sync.sources.content import PackedTree
from agent_sync.store.verify import ReceivedTar
from agent_sync.tree import Entry, RelPath, Sha256, Tree
from agent_sync.tree.tarball import FileToPack, pack
from agent_sync_oci.digest import Digest

_FILES = {
    "a.md": b"a" * 700,
    "empty.md": b"",
    "tools/deep/" + "long-" * 30 + "name.md": b"x" * 512,
    "tools/run.sh": b"#!/bin/sh\n" * 100,
    "z.bin": bytes(300_000),
}
_PROGRAMS = {"tools/run.sh"}


def packed(files: dict[str, bytes]) -> tuple[bytes, PackedTree]:
    """The canonical tar of the files, and all that a lock says of it."""
    tar = bytearray()
    to_pack = [
        FileToPack(RelPath(path), len(content), [content] if content else [], executable=path in _PROGRAMS)
        for path, content in files.items()
    ]
    said = pack(to_pack, tar.extend)
    return bytes(tar), PackedTree(said.tree, Digest.of(bytes(tar)), said.size, said.nar_hash)


TAR, TREE = packed(_FILES)


def arrive(tar: bytes, tree: PackedTree = TREE, *, pieces: int = 1 << 17) -> None:
    arriving = ReceivedTar(tree, subject="the part rules")
    for start in range(0, len(tar), pieces):
        arriving.write(tar[start : start + pieces])
    arriving.finish()


@pytest.mark.parametrize("pieces", [1, 3, 511, 512, 513, 4096, 1 << 20])
def test_the_locked_tar_is_what_the_lock_says_in_whatever_pieces_it_comes(pieces: int) -> None:
    arrive(TAR, pieces=pieces)


def test_a_lock_of_another_implementation_is_compared_in_what_it_says() -> None:
    arrive(TAR, PackedTree(TREE.files))


def test_a_tree_without_files_is_a_tar_of_one_directory() -> None:
    tar, tree = packed({})
    arrive(tar, tree)
    with pytest.raises(LockInvalid):
        arrive(TAR, tree)


@given(st.integers(0, len(TAR) - 1), st.integers(1, 255))
def test_no_byte_can_be_another(at: int, flip: int) -> None:
    changed = bytearray(TAR)
    changed[at] ^= flip
    with pytest.raises(LockInvalid, match="disagree"):
        arrive(bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 511, 512, len(TAR) // 2, len(TAR) - 1])
def test_a_tar_that_ends_too_soon_is_refused(length: int) -> None:
    with pytest.raises(LockInvalid, match="ends too soon"):
        arrive(TAR[:length])


@pytest.mark.parametrize("more", [b"\0", bytes(512), b"x" * 10_000])
def test_what_follows_the_end_is_refused(more: bytes) -> None:
    with pytest.raises(LockInvalid, match="the length is"):
        arrive(TAR + more)


def test_the_first_files_that_differ_are_named() -> None:
    files = {f"{name}.md": name.encode() * 700 for name in "abcdef"}
    tar, tree = packed(files)
    served, _ = packed({name: content if name == "b.md" else content.upper() for name, content in files.items()})
    named = r'file "a\.md" has the sha256 .*; also changed "c\.md", changed "d\.md", changed "e\.md" and 1 more'
    with pytest.raises(LockInvalid, match=named):
        arrive(served, tree)
    for cut in (len(tar) - 1, tar.index(b"d" * 700)):
        with pytest.raises(LockInvalid, match=r'file "a\.md" has the sha256 .*; also changed "c\.md"'):
            arrive(served[:cut], tree)


OTHER = Tree({RelPath("a.md"): Entry(Sha256("0" * 64))})


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (replace(TREE, files=TREE.files.overlaid_by(OTHER)), 'file "a.md" has'),
        (replace(TREE, files=TREE.files.without([RelPath("empty.md")])), "the bytes before file"),
        (replace(TREE, size=TREE.size and TREE.size + 1), "the length is"),
        (replace(TREE, nar_hash="sha256-" + "A" * 43 + "="), "the narHash is"),
    ],
    ids=["another file", "a file less", "another length", "another narHash"],
)
def test_a_lock_that_says_something_else_of_the_blob_is_refused(tree: PackedTree, why: str) -> None:
    with pytest.raises(LockInvalid, match=why):
        arrive(TAR, tree)
