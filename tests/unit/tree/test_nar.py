"""The narHash: what Nix says of the same directory (checked with `nix hash path`, Nix 2.8.0)."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.tree import RelPath
from agent_sync.tree.tarball import pack
from tests.builders.trees import GOLDEN_FILES, Program, as_bytes, files_to_pack, program

NOTHING = {"a.md": ""}


def nar_hash(files: Mapping[str, str | bytes]) -> str:
    return pack(files_to_pack(files), lambda _: None).nar_hash


def word(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + bytes(-len(text) % 8)


def said(*words: bytes) -> bytes:
    return b"".join(map(word, words))


def nar_of(node: Any) -> bytes:  # noqa: ANN401  # a directory is a mapping of nodes
    """The grammar of Eelco Dolstra's thesis (figure 5.2), read as directly as it can be: a second opinion."""
    if isinstance(node, bytes):
        executable = said(b"executable", b"") if isinstance(node, Program) else b""
        return said(b"(", b"type", b"regular") + executable + said(b"contents", node, b")")
    entries = (said(b"entry", b"(", b"name", name, b"node") + nar_of(node[name]) + said(b")") for name in sorted(node))
    return said(b"(", b"type", b"directory") + b"".join(entries) + said(b")")


def nested(files: Mapping[str, str | bytes]) -> dict[bytes, Any]:
    root: dict[bytes, Any] = {}
    for path, content in files.items():
        *directories, name = path.encode().split(b"/")
        here = root
        for directory in directories:
            here = here.setdefault(directory, {})
        here[name] = content if isinstance(content, Program) else as_bytes(content)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo="),
        (NOTHING, "sha256-T9lEFVwieHKgP3JaWEDEetTMBqAbXc5jPQqoa2oLlao="),
        ({"run": program("#!/bin/sh\n")}, "sha256-WjDh7Bs0j7hhm6JO593Iwx6zauwkLbk4ogX+R8xJhEQ="),
        (GOLDEN_FILES, "sha256-kUCfirrPof4PTZg5l2Wn/yQX+A05D6LHXS6ssNv76rw="),
    ],
    ids=["no files", "an empty file", "a program", "the golden tree"],
)
def test_the_nar_hash_is_what_nix_says(files: Mapping[str, str | bytes], expected: str) -> None:
    assert nar_hash(files) == expected


names = st.text(alphabet="ab-.é", min_size=1, max_size=9)
contents = st.binary(max_size=20) | st.binary(max_size=20).map(Program)
trees = st.dictionaries(st.lists(names, min_size=1, max_size=4).map("/".join), contents, max_size=12)


@given(trees)
def test_the_nar_hash_is_that_of_the_whole_nar(files: dict[str, bytes]) -> None:
    directories = {path[:i] for path in files for i, character in enumerate(path) if character == "/"}
    files = {path: content for path, content in files.items() if path not in directories}
    nar = word(b"nix-archive-1") + nar_of(nested(files))
    assert nar_hash(files) == "sha256-" + b64encode(hashlib.sha256(nar).digest()).decode()


def test_only_the_executable_bit_and_the_bytes_count() -> None:
    assert nar_hash({"run": program("x")}) != nar_hash({"run": "x"})
    assert nar_hash({RelPath("a"): "x"}) != nar_hash({RelPath("b"): "x"})
