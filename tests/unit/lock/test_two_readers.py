"""A lock as it was written is read quickly, any other spelling of it strictly; both read and refuse the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sync.documents import emit
from agent_sync.errors import AgentSyncError
from agent_sync.lock import Lock
from agent_sync.lock.file import lock_bytes, read_lock
from tests.builders.documents import AWKWARD, a_lock

HEX = "0123456789abcdef"
OTHERS = ("", "456def...", "A" * 64, "g" * 64, "1" * 63, "1" * 65, "null", "true", "1e5", "1" * 64 + " ")
NAMES = ("a.md", "b/c.md", "B/c.md", "00/1.md", "-.md", "a b.md", "ä.md", 'quo"te.md', "back\\slash", "../a", ".git/a")

_digests = st.text(HEX, min_size=64, max_size=64) | st.sampled_from(OTHERS)
_files = st.fixed_dictionaries(
    {"sha256": _digests}, optional={"executable": st.booleans(), "source": st.just("one"), "later": st.integers(0, 9)}
)
_tables = st.dictionaries(st.sampled_from(NAMES) | st.sampled_from(AWKWARD), _files, max_size=6)
_plain = st.fixed_dictionaries(
    {"sha256": st.text(HEX, min_size=64, max_size=64)}, optional={"executable": st.just(True)}
)
_plain_tables = st.dictionaries(st.sampled_from(NAMES[:7]), _plain, min_size=1, max_size=6)


@st.composite
def _documents(draw: st.DrawFn) -> dict[str, object]:
    """Locks, most of them right, with files wherever files may stand, and where none are known."""
    tables = _plain_tables | _tables
    lock = a_lock(0)
    source = {**lock["sources"][0], "name": "one"}
    source["resolved"] = {**source["resolved"], "files": draw(tables)}
    document = {**lock, "sources": [source], "outputs": []}
    if draw(st.booleans()):
        document["rendered"] = {"recipe": f"sha256:{'7' * 64}", "files": draw(tables)}
    if draw(st.booleans()):
        document["orphans"] = draw(tables)
    if draw(st.booleans()):
        document["later"] = {"files": draw(tables)}
    return document


def _outcome(content: bytes) -> object:
    """The lock, or what the error says and where."""
    try:
        lock = read_lock(content)
    except AgentSyncError as error:
        where = error.place and (error.place.line, error.place.column)
        return type(error), error.subject, error.check, error.remedy, where
    return lock, lock_bytes(lock), repr(lock.unknown)


def _strictly(text: str) -> object:
    """The same, by the strict reader: the quick one takes no line that ends in a blank."""
    return _outcome(text.replace("\n", " \n", 1).encode())


@settings(max_examples=300)
@given(_documents())
def test_both_read_or_refuse_any_lock_alike(document: dict[str, object]) -> None:
    text = emit(document)
    assert _outcome(text.encode()) == _strictly(text)


@pytest.mark.parametrize("hundred", range(6))
def test_both_read_or_refuse_a_lock_with_a_slip_alike(hundred: int) -> None:
    text = lock_bytes(_a_lock()).decode()
    for number in range(100 * hundred, 100 * hundred + 100):
        slipped = _with_a_slip(text, random.Random(number))
        assert _outcome(slipped.encode()) == _strictly(slipped), slipped


def test_a_table_is_read_as_the_files_that_it_spells() -> None:
    lock = _a_lock()
    assert read_lock(lock_bytes(lock)) == lock
    assert _strictly(lock_bytes(lock).decode()) == (lock, lock_bytes(lock), "{}")


def _a_lock() -> Lock:
    return read_lock(emit(a_lock(5, sources=2)).encode())


def _with_a_slip(text: str, chance: random.Random) -> str:
    """One character changed, added or gone, or one line gone or doubled; the last line break stays."""
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        case _:
            column = chance.randrange(len(lines[at]))
            replacement = chance.choice(["", *' :"-a1xA#{}[]/.'])
            lines[at] = lines[at][:column] + replacement + lines[at][column + chance.randrange(2) :]
    return "".join(lines).rstrip("\n") + "\n"
