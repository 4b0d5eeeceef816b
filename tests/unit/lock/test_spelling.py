"""The lock's one canonical text, and that reading it gives the same values back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.errors import LockInvalid, UnsafePath
from agent_sync.lock import Lock, LockedSource, Orphan, Placement, Rendered, Transformed
from agent_sync.lock.file import lock_bytes, read_lock
from agent_sync.sources.content import PackedTree
from agent_sync.sources.git import GitDeclaration, GitPin
from agent_sync.sources.local import LocalDeclaration, LocalPin
from agent_sync.sources.url import UrlDeclaration, UrlPin
from agent_sync.tree import ROOT, Entry, RelPath, Sha256, Tree
from agent_sync_oci.digest import Digest

HEX = {letter: Sha256(letter * 64) for letter in "abcdef0123456789"}
NAR = "sha256-" + "A" * 43 + "="


def packed(files: dict[str, Entry]) -> PackedTree:
    tree = Tree({RelPath(path): entry for path, entry in files.items()})
    return PackedTree(tree, Digest.from_hex("1" * 64), 20480, NAR)


EVERYTHING = Lock(
    sources=(
        LockedSource(
            name="base-rules",
            declaration=GitDeclaration(repo="https://github.com/org/rules.git", ref="v1.2.0", paths=("core/",)),
            pin=GitPin(
                "3" * 40, "a" * 40, packed({"core/run.sh": Entry(HEX["9"], True), "core/a b.md": Entry(HEX["a"])})
            ),
            transformed=Transformed(
                Digest.from_hex("7" * 64), packed({"core/a b.md": Entry(HEX["3"])}), (RelPath("core/run.sh"),)
            ),
        ),
        LockedSource(
            name="security-policy",
            declaration=UrlDeclaration(url="https://example.com/policy.md", checksum=f"sha256:{HEX['b']}"),
            pin=UrlPin("https://example.com/policy.md", HEX["b"], RelPath("policy.md"), 12),
        ),
        LockedSource("team", LocalDeclaration(path="./team/"), LocalPin("./team/", packed({"t.md": Entry(HEX["c"])}))),
    ),
    outputs=(
        Placement("base-rules", RelPath(".claude"), tool="claude-code", shared=True),
        Placement("security-policy", ROOT, shared=True),
    ),
    rendered=Rendered(
        Digest.from_hex("5" * 64), packed({".claude/x.md": Entry(HEX["d"])}), {RelPath(".claude/x.md"): "base-rules"}
    ),
    orphans=(Orphan(RelPath(".claude/old.md"), Entry(HEX["e"]), "base-rules"),),
)

TEXT = f"""\
version: 1
tool_map: spec-v1
sources:
  - name: base-rules
    type: git
    repo: https://github.com/org/rules.git
    ref: v1.2.0
    paths:
      - core/
    resolved:
      commit: "{"3" * 40}"
      tree: {"a" * 40}
      narHash: {NAR}
      blob: sha256:{"1" * 64}
      size: 20480
      files:
        "core/a b.md":
          sha256: {"a" * 64}
        core/run.sh:
          sha256: "{"9" * 64}"
          executable: true
    transformed:
      recipe: sha256:{"7" * 64}
      narHash: {NAR}
      blob: sha256:{"1" * 64}
      size: 20480
      files:
        "core/a b.md":
          sha256: "{"3" * 64}"
      removed:
        - core/run.sh
    status: ok
  - name: security-policy
    type: url
    url: https://example.com/policy.md
    checksum: sha256:{"b" * 64}
    resolved:
      url: https://example.com/policy.md
      sha256: {"b" * 64}
      size: 12
    status: ok
  - name: team
    type: local
    path: ./team/
    resolved:
      path: ./team/
      narHash: {NAR}
      blob: sha256:{"1" * 64}
      size: 20480
      files:
        t.md:
          sha256: {"c" * 64}
    status: ok
outputs:
  - source: base-rules
    to: .claude/
    tool: claude-code
    shared: true
  - source: security-policy
    to: ./
    shared: true
rendered:
  recipe: sha256:{"5" * 64}
  narHash: {NAR}
  blob: sha256:{"1" * 64}
  size: 20480
  files:
    .claude/x.md:
      sha256: {"d" * 64}
      source: base-rules
orphans:
  .claude/old.md:
    sha256: {"e" * 64}
    source: base-rules
"""


def test_the_text_of_a_lock_that_has_everything() -> None:
    assert lock_bytes(EVERYTHING).decode() == TEXT


def test_reading_the_text_gives_the_same_lock() -> None:
    assert read_lock(TEXT.encode()) == EVERYTHING


NAMES = st.text("ab\u00e9 .-_", min_size=1, max_size=6).filter(lambda name: name[-1] not in ". " and name.strip("."))
FILES = st.dictionaries(NAMES, st.builds(Entry, st.sampled_from(sorted(HEX.values())), st.booleans()), min_size=1)


@given(FILES, st.text(max_size=20))
def test_any_lock_reads_back_as_it_was_written(files: dict[str, Entry], ref: str) -> None:
    try:
        source = LockedSource("s", GitDeclaration(repo="r", ref=ref), GitPin("0" * 40, "0" * 40, packed(files)))
        lock = Lock((source,), outputs=(Placement("s", RelPath("x")),))
        assert read_lock(lock_bytes(lock)) == lock
    except UnsafePath as refused:
        assert "same file" in str(refused)  # noqa: PT017  # two names that fold to one are refused on reading


def test_unknown_fields_survive_at_every_level() -> None:
    text = TEXT.replace("    status: ok\n", "    status: ok\n    hue: 1\n", 1)
    text = text.replace("      files:\n", "      hue: 2\n      files:\n", 1)
    text = text.replace(
        '        "core/a b.md":\n          sha256: aaa',
        '        "core/a b.md":\n          hue: 3\n          sha256: aaa',
    )
    text = text.replace("    to: .claude/\n", "    to: .claude/\n    hue: 4\n") + "hue: 5\n"
    again = lock_bytes(read_lock(text.encode())).decode()
    assert [f"hue: {number}" in again for number in range(1, 6)] == [True] * 5
    assert lock_bytes(read_lock(again.encode())).decode() == again


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("commit:", "comit:", "commit"),
        (f"blob: sha256:{'1' * 64}", "blob: sha256:xyz", "blob"),
        (f"narHash: {NAR}", "narHash: sha256-short", "narHash"),
        ("recipe:", "recip:", "recipe"),
        ("    to: .claude/", "    to: 7", "to"),
        ("      - core/run.sh", "      - core/other.sh", "transforms: removes"),
        ("      source: base-rules\norphans", "orphans", "source"),
    ],
)
def test_what_is_wrong_is_named(right: str, wrong: str, told: str) -> None:
    with pytest.raises(LockInvalid, match=told):
        read_lock(TEXT.replace(right, wrong, 1).encode())


@pytest.mark.parametrize("path", ["../x", "/x", ".git/x", "a//b", "CON", "x\\u202ey"])
def test_an_unsafe_path_is_refused_wherever_it_stands(path: str) -> None:
    for place in ("t.md:", ".claude/old.md:", ".claude/x.md:"):
        with pytest.raises(UnsafePath) as refused:
            read_lock(TEXT.replace(place, f'"{path}":').encode())
        assert refused.value.place is not None
    with pytest.raises(UnsafePath):
        read_lock(TEXT.replace("to: .claude/", f'to: "{path}"').encode())


@pytest.mark.parametrize(("first", "second"), [("A.md", "a.md"), ("x", "x/y.md"), ("\u00e9.md", "e\u0301.md")])
def test_two_keys_that_are_one_file_somewhere_are_refused(first: str, second: str) -> None:
    both = f'"{first}":\n          sha256: {"c" * 64}\n        "{second}":'
    with pytest.raises(UnsafePath, match="same file"):
        read_lock(TEXT.replace("t.md:", both).encode())
