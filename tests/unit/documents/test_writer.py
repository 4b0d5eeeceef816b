"""The canonical text, as lockfile.md shows it, and the canonical JSON of recipes."""

from __future__ import annotations

import time
from textwrap import dedent
from typing import Any

import pytest

from agent_sync.documents import DigestTable, emit, emit_json
from agent_sync.documents.scalars import MAX_DEPTH, format_scalar
from agent_sync.documents.strict import parse
from tests.builders.documents import source_text

_TEXT = dedent("""\
    version: 1
    sources:
      - name: base-rules
        type: git
        repo: https://github.com/org/rules.git
        paths:
          - core/
        resolved:
          commit: "3f8c9abf..."
          tree: a8bcdef...
          narHash: sha256-cC/A104c...=
          blob: sha256:ab111dff...
          size: 20480
          files:
            core/general.md:
              sha256: "456def..."
            core/tools/run.sh:
              sha256: "99aa01..."
              executable: true
        transformed:
          recipe: sha256:0b7c...
          removed: []
        status: ok
      - name: security-policy
        resolved:
          files: {}
    outputs:
      - source: base-rules
        to: .cursor/rules/
        tool: null
    orphans:
      .claude/old.md:
        sha256: "0c0c..."
        source: base-rules
    """)


def test_the_lock_is_written_as_its_description_shows() -> None:
    assert emit(parse(source_text(_TEXT))) == _TEXT


def test_a_map_of_files_is_written_as_any_other_map() -> None:
    files = {"a.md": {"sha256": "1" * 64}, "b c.md": {"sha256": "a" * 64, "executable": True}}
    as_any_other = {**files, "z": {"sha256": "1" * 64, "source": "x"}}
    assert emit({"files": as_any_other}) == emit({"files": files}) + f'  z:\n    sha256: "{"1" * 64}"\n    source: x\n'


@pytest.mark.parametrize("digest", ["", "a", "a" * 63, "a" * 513, "A" * 64, "é" * 64, "off"])
def test_a_digest_that_is_none_is_written_as_any_other_text(digest: str) -> None:
    assert emit({"files": {"a.md": {"sha256": digest}}}) == f"files:\n  a.md:\n    sha256: {format_scalar(digest)}\n"


def test_a_map_of_files_begins_on_the_dash_of_its_item() -> None:
    assert emit({"a": [{"b.md": {"sha256": "f" * 64}}]}) == f"a:\n  - b.md:\n      sha256: {'f' * 64}\n"


@pytest.mark.parametrize("executable", [False, 1, None, "true"])
def test_executable_is_written_as_what_it_is(executable: object) -> None:
    text = emit({"files": {"a.md": {"sha256": "f" * 64, "executable": executable}}})
    read: Any = parse(source_text(text))
    assert repr(read["files"]["a.md"]["executable"]) == repr(executable)


def test_lists_in_lists_begin_on_one_line() -> None:
    assert emit({"a": [[1, [2]], [], {}]}) == "a:\n  - - 1\n    - - 2\n  - []\n  - {}\n"


def test_a_key_too_long_to_stand_before_a_colon_stands_after_a_question_mark() -> None:
    long = "k" * 1001
    assert emit({"a": {long: {"b": 1}, "c": 2}}) == f'a:\n  ? "{long}"\n  :\n    b: 1\n  c: 2\n'
    assert emit({"a": [{long: 1}]}) == f'a:\n  - ? "{long}"\n    : 1\n'


def test_an_empty_document_is_written() -> None:
    assert emit({}) == "{}\n"


def _nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(levels - 1):
        document = {"a": document}
    return document


def test_what_the_reader_would_find_too_deep_is_not_written() -> None:
    deepest = _nested(MAX_DEPTH)
    assert parse(source_text(emit(deepest))) == deepest
    with pytest.raises(ValueError, match="64 levels"):
        emit(_nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("value", [b"bytes", object(), {"x"}, (1, 2)])
def test_what_no_document_holds_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        emit({"a": value})


def test_a_key_that_is_no_text_is_not_written() -> None:
    number: Any = 1
    with pytest.raises(TypeError):
        emit({number: "a"})


def test_canonical_json_depends_on_nothing_but_the_data() -> None:
    assert (
        emit_json({"b": [1, "é\u2028"], "a": {"z": None, "y": True}})
        == '{"a":{"y":true,"z":null},"b":[1,"é\u2028"]}'.encode()
    )
    assert emit_json({"a": 1, "b": 2}) == emit_json({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [{1: "a"}, [{"a": {None: 1}}], ({True: 1},)])
def test_keys_that_json_would_turn_into_text_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        emit_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_canonical_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        emit_json([value])


# -- A table of digests is the mapping of mappings that it stands for.

ONE, OTHER = "1" * 64, "a" * 64
TABLE = DigestTable(["b.md", "a.sh"], [ONE, OTHER], [False, True])
MAPPING = {"b.md": {"sha256": ONE}, "a.sh": {"sha256": OTHER, "executable": True}}


def test_it_equals_its_mapping_and_nothing_else() -> None:
    assert TABLE == MAPPING
    assert MAPPING == TABLE
    assert DigestTable(["a.sh", "b.md"], [OTHER, ONE], [True, False]) == TABLE
    assert DigestTable(["b.md", "a.sh"], [ONE, OTHER], [True, True]) != TABLE
    assert {"files": TABLE} == {"files": MAPPING}
    assert repr(TABLE) == repr(MAPPING)


def test_it_is_written_like_its_mapping() -> None:
    assert emit({"files": TABLE}) == emit({"files": MAPPING})
    assert emit({"list": [TABLE]}) == emit({"list": [MAPPING]})


def test_it_is_written_like_its_mapping_where_a_name_is_too_long_for_a_key() -> None:
    long = DigestTable(["a b" * 400], [ONE], [True])
    assert emit({"files": long}) == emit({"files": dict(long)})


@pytest.mark.parametrize("digest", ["", "1" * 63, "A" * 64, "g" * 64, "\u0661" * 64, "1" * 63 + "\n"])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="no table of digests"):
        DigestTable(["b.md", "a.sh"], [ONE, digest], [False, False])


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="no table of digests"):
        DigestTable(["a.md", "a.md"], [ONE, OTHER], [False, False])


def test_looking_into_it_file_by_file_takes_no_longer_for_each() -> None:
    """A lock may put a table where single files are looked at, to keep us busy."""
    names = [f"{number}.md" for number in range(100_000)]
    table = DigestTable(names, [ONE] * len(names), [False] * len(names))
    started = time.process_time()
    assert dict(table.items()) == {name: {"sha256": ONE} for name in names}
    assert time.process_time() - started < 20  # a search for each name would take minutes
