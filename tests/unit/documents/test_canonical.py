"""The quick reader takes the canonical spelling and nothing else."""

from __future__ import annotations

import pytest

from agent_sync.documents import DigestTable, emit
from agent_sync.documents.reader import read_canonical
from tests.builders.documents import a_lock

_FILES = (
    f'version: 1\nfiles:\n  a.md:\n    sha256: "{"1" * 64}"\n  b.md:\n    sha256: {"f" * 64}\n    executable: true\n'
)


def test_a_lock_is_read() -> None:
    lock = a_lock(500, sources=3)
    assert read_canonical(emit(lock)) == lock


def test_a_map_of_files_is_read_as_a_table() -> None:
    files = {"a.md": {"sha256": "1" * 64}, "b.md": {"sha256": "f" * 64, "executable": True}}
    read = read_canonical(_FILES)
    assert read == {"version": 1, "files": files}
    assert isinstance(read["files"], DigestTable)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("a comment", _FILES.replace("files:", "files: # all")),
        ("a comment line", "version: 1\n# all\na: 1\n"),
        ("an empty line", _FILES.replace("files:", "\nfiles:")),
        ("another indentation", _FILES.replace("  ", "    ")),
        ("carriage returns", _FILES.replace("\n", "\r\n")),
        ("no line break at the end", _FILES[:-1]),
        ("a second one at the end", _FILES + "\n"),
        ("blanks at the end of a line", _FILES.replace("files:", "files: ")),
        ("quotes that are not needed", _FILES.replace("f" * 64, f'"{"f" * 64}"')),
        ("quotes that are missing", _FILES.replace('"', "")),
        ("other quotes", _FILES.replace('"', "'")),
        ("a quoted key", _FILES.replace("a.md", '"a.md"')),
        ("an escape", _FILES.replace("a.md", r'"\u0061 b.md"')),
        ("a duplicate key", _FILES.replace("b.md", "a.md")),
        ("an executable that is not true", _FILES.replace("executable: true", "executable: True")),
        ("an empty value", "version: 1\na:\n"),
        ("another number", "version: 1\na: +1\n"),
        ("a disputed number", "version: 1\na: 010\n"),
        ("a word for true", "version: 1\na: True\n"),
        ("a list that is not indented", "version: 1\na:\n- b\n"),
        ("a flow list", "version: 1\na: [b]\n"),
        ("a block scalar", "version: 1\na: |\n  b\n"),
        ("a second document", "version: 1\n---\na: 1\n"),
        ("half a surrogate pair", 'version: 1\na: "\\ud800 "\n'),
        ("a level too many", "version: 1\n" + "".join("  " * level + "a:\n" for level in range(70))),
        ("a list at the top", "- version: 1\n"),
        ("nothing", ""),
    ],
)
def test_any_other_spelling_is_left_to_the_strict_reader(what: str, other: str) -> None:
    assert other != _FILES
    assert read_canonical(other) is None, what


@pytest.mark.parametrize("digest", ["null", "true", '"456def..."', "a8bc", '"1\\n"'])
def test_a_digest_that_is_none_is_read_as_it_is_written(digest: str) -> None:
    text = f"files:\n  a.md:\n    sha256: {digest}\n"
    read = read_canonical(text)
    assert read is not None
    assert emit(read) == text
