"""A table of digests is the mapping of mappings that it stands for."""

from __future__ import annotations

import time

import pytest

from agent_sync.documents import DigestTable, emit

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
