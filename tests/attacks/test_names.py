"""Names that some system takes for another file: refused on every system, wherever they come from."""

from __future__ import annotations

import pytest

from agent_sync.errors import UnsafePath
from agent_sync.tree import RelPath, refuse_collisions, safe_path, safe_paths
from agent_sync_oci.text import quoted

REFUSED = [
    "",
    ".",
    "..",
    "../x",
    "a/../x",
    "a/./x",
    "a//x",
    "a/",
    "/etc/passwd",
    "C:\\x",
    "c:x",
    "\\\\server\\share",
    "a\\..\\x",
    ".git",
    "a/.git/config",
    ".GIT/config",
    ".Git",
    ".git.",
    ".git ",
    ".git::$INDEX_ALLOCATION",
    "git~1/config",
    "GIT~2",
    ".g\u200cit/config",
    ".\u200bgit",
    "con",
    "x/AUX.md",
    "nul.txt",
    "com1",
    "lpt9.md",
    "CONIN$",
    "trailing.",
    "trailing ",
    "a\x00b",
    "a\nb",
    "a\x1b[2Jb",
    "a\x7fb",
    "a\u202eb",
    "a\u2066b",
    "a\ufeffb",
    "a\u2028b",
    "\ud800",
    "x" * 256,
    "/".join(["x" * 100] * 11),
    "\u00e9" * 128,
]

ALLOWED = [
    "a.md",
    ".hidden/.file",
    ".github/copilot/x.md",
    ".gitignore",
    ".gitattributes",
    "console.md",
    "x..y/z",
    "...dots",
    "a b/c d.md",
    "\u00fcmlaut/\u65e5\u672c.md",
    "emoji-\U0001f600.md",
    "common/com.md",
    "-dash",
    "~tilde",
]


@pytest.mark.parametrize("name", REFUSED)
def test_a_dangerous_name_is_refused_and_shown_escaped(name: str) -> None:
    with pytest.raises(UnsafePath) as refused:
        safe_path(name, subject="source s")
    assert refused.value.remedy
    assert refused.value.check.isprintable()


@pytest.mark.parametrize("name", ALLOWED)
def test_an_honest_name_is_kept_byte_for_byte(name: str) -> None:
    assert safe_path(name, subject="source s") == name


@pytest.mark.parametrize("name", REFUSED)
def test_among_many_names_the_one_is_found(name: str) -> None:
    many = [f"group-{number % 7}/file-{number}.md" for number in range(500)]
    with pytest.raises(UnsafePath):
        safe_paths([*many[:250], name, *many[250:]], subject="source s")
    assert list(safe_paths(many, subject="source s")) == many


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("README.md", "readme.md"),
        ("a/x.md", "A/y.md"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufb01le", "file"),
        ("\u212aelvin", "kelvin"),
        ("a", "a/b"),
        ("A", "a/b"),
    ],
)
def test_two_names_that_are_one_file_on_some_system_are_refused_with_both(first: str, second: str) -> None:
    for pair in ((first, second), (second, first)):
        with pytest.raises(UnsafePath) as refused:
            refuse_collisions([RelPath(name) for name in pair], subject="source s")
        assert quoted(first)[1:-1].split("/")[0] in refused.value.check


def test_names_that_only_look_alike_to_people_are_no_collision() -> None:
    refuse_collisions([RelPath(name) for name in ("a.md", "b/a.md", "\u0430.md", "a.mdx", "a/b")], subject="source s")
