"""Trees out of dictionaries: `a_tree({"core/a.md": "text"})`; `program(text)` is a file that may be run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from agent_sync.ports import BlobStore
from agent_sync.sources.content import PackedTree, store_tree
from agent_sync.tree import Entry, RelPath, Sha256, Tree, sorted_paths
from agent_sync.tree.tarball import FileToPack


class Program(bytes):
    """The bytes of a file with the executable bit."""


Files = Mapping[str, str | bytes]


def program(content: str | bytes) -> Program:
    return Program(content.encode() if isinstance(content, str) else content)


def sha256(content: str | bytes) -> Sha256:
    return Sha256(hashlib.sha256(as_bytes(content)).hexdigest())


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def a_tree(files: Files) -> Tree:
    return Tree({RelPath(path): Entry(sha256(text), isinstance(text, Program)) for path, text in files.items()})


def files_to_pack(files: Files) -> list[FileToPack]:
    """In the order in which they must be packed."""
    return [
        FileToPack(
            path,
            len(as_bytes(files[path])),
            (as_bytes(files[path]),),
            executable=isinstance(files[path], Program),
        )
        for path in sorted_paths(RelPath(path) for path in files)
    ]


def a_packed_tree(files: Files, store: BlobStore) -> PackedTree:
    """The tree, and its canonical tar in the store."""
    return store_tree(files_to_pack(files), store)


# Every case that the canonical tar knows; tests/golden/canonical.tar and the narHash of it are pinned for ever.
GOLDEN_FILES: Files = {
    "a.md": "one\n",
    "a/b.md": "two\n",
    "a/b/c.md": "three\n",
    "a-b/empty.md": "",
    "a-b/" + "n" * 89: "the name in the tar is exactly 100 bytes long\n",
    "a-b/" + "n" * 90: "and this one 101\n",
    "deep/" + "/".join(["a-folder-with-a-long-name"] * 5) + "/rule.md": "the folder has a long name, too\n",
    "tools/run.sh": program("#!/bin/sh\necho ran\n"),
    "tools/block.bin": bytes(512),
    "über/naïve 規則.md": "names are UTF-8\n",
    "Zebra.md": "upper case comes first\n",
}
