"""Where a key or a value stands in the file."""

from __future__ import annotations

from textwrap import dedent

import pytest

from agent_sync.documents import Document, Path, emit, read_document
from agent_sync.errors import ConfigInvalid
from tests.builders.documents import a_lock

_TEXT = dedent("""\
    # é first
    version: 1
    sources:

      - name: base-rules
        paths: [core/, "two words"]   # a flow list
        "quoted key": 'x'
        files:
          a.md:
            sha256: "1"
      - é: ü
    text: |
      several
      lines
    """)


def _document(text: str) -> Document:
    return read_document(text.encode(), file="agent-sync.yaml", error=ConfigInvalid, max_bytes=100_000_000)


@pytest.mark.parametrize(
    ("path", "key", "line", "column", "width"),
    [
        (("version",), True, 2, 1, 7),
        (("version",), False, 2, 10, 1),
        (("sources",), True, 3, 1, 7),
        (("sources",), False, 5, 3, 18),
        (("sources", 0), False, 5, 5, 16),
        (("sources", 0), True, 5, 5, 16),
        (("sources", 0, "name"), True, 5, 5, 4),
        (("sources", 0, "name"), False, 5, 11, 10),
        (("sources", 0, "paths"), False, 6, 12, 1),
        (("sources", 0, "paths", 1), False, 6, 20, 11),
        (("sources", 0, "quoted key"), True, 7, 5, 12),
        (("sources", 0, "quoted key"), False, 7, 19, 3),
        (("sources", 0, "files", "a.md"), True, 9, 7, 4),
        (("sources", 0, "files", "a.md", "sha256"), False, 10, 17, 3),
        (("sources", 1, "é"), True, 11, 5, 1),
        (("sources", 1, "é"), False, 11, 8, 1),
        (("text",), False, 12, 7, 1),
        ((), False, 2, 1, 10),
    ],
)
def test_a_key_and_a_value_have_a_place(path: Path, key: bool, line: int, column: int, width: int) -> None:
    place = _document(_TEXT).place(path, key=key)
    assert (place.file, place.line, place.column, place.width) == ("agent-sync.yaml", line, column, width)
    assert place.text == _TEXT.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("targets",), 2, 1),
        (("sources", 2), 3, 1),
        (("sources", "name"), 3, 1),
        (("sources", 0, "ref"), 5, 5),
        (("sources", 0, "files", "b.md"), 8, 5),
        (("sources", 0, "files", "b.md", "sha256"), 8, 5),
        (("sources", 0, "name", "x", 1), 5, 5),
        (("version", 0), 2, 1),
    ],
)
def test_what_is_missing_has_the_place_of_what_should_hold_it(path: Path, line: int, column: int) -> None:
    place = _document(_TEXT).place(path)
    assert (place.line, place.column) == (line, column)


def test_windows_line_ends_move_nothing() -> None:
    place = _document(_TEXT.replace("\n", "\r\n")).place(("sources", 0, "name"))
    assert (place.line, place.column, place.text) == (5, 11, "  - name: base-rules")


def test_a_line_too_long_to_show_is_not_shown() -> None:
    place = _document(f"a: [{'1, ' * 1000}2]\n").place(("a", 1000))
    assert (place.line, place.column, place.text, place.width) == (1, 3005, "", 1)


def test_a_canonical_lock_knows_its_places_too() -> None:
    lock = a_lock(1000, sources=2)
    text = emit(lock)
    files = lock["sources"][1]["resolved"]["files"]
    last = list(files)[-1]
    place = _document(text).place(("sources", 1, "resolved", "files", last), key=True)
    assert place.text == f"        {last}:"
    assert text.splitlines()[place.line - 1] == place.text
    assert (place.column, place.width) == (9, len(last))
