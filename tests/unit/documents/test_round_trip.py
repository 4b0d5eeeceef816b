"""Whatever is written is read as it was, by every reader; what the quick reader takes, the strict one reads alike."""

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sync.documents import Value, emit
from agent_sync.documents.reader import read_canonical
from agent_sync.documents.strict import parse
from tests.builders.documents import AWKWARD, a_document, a_lock, source_text

_PARSERS = [yaml.CSafeLoader, yaml.SafeLoader]
_TEXTS = st.sampled_from(AWKWARD) | st.text(max_size=10)
_FILES = st.dictionaries(
    _TEXTS,
    st.fixed_dictionaries(
        {"sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True)}, optional={"executable": st.just(True)}
    ),
    min_size=1,
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4) | _FILES,
    max_leaves=12,
)
_DOCUMENTS = st.dictionaries(_TEXTS, _VALUES, max_size=5)


def _has_a_long_key(text: str) -> bool:
    return any(line.lstrip(" -").startswith("? ") for line in text.splitlines())


def _check(document: dict[str, Value]) -> None:
    """By `repr`, which tells 1 from True and 0.0 from -0.0, and sees the order of keys."""
    text, expected = emit(document), repr(document)
    assert repr(yaml.load(text, yaml.CSafeLoader)) == expected
    for parser in _PARSERS:
        assert repr(parse(source_text(text), parser=parser)) == expected
    quick = read_canonical(text)
    assert repr(quick) == expected or (quick is None and (not document or _has_a_long_key(text)))


@settings(max_examples=50)
@given(_DOCUMENTS)
def test_any_document_is_read_as_it_was_written(document: dict[str, Value]) -> None:
    _check(document)


@pytest.mark.parametrize("hundred", range(6))
def test_an_awkward_document_is_read_as_it_was_written(hundred: int) -> None:
    for number in range(100 * hundred, 100 * hundred + 100):
        _check(a_document(number))


def test_a_lock_is_read_as_it_was_written() -> None:
    _check(a_lock(300, sources=4))


@pytest.mark.parametrize("hundred", range(6))
def test_what_the_quick_reader_takes_after_a_slip_the_strict_one_reads_alike(hundred: int) -> None:
    taken = 0
    for number in range(100 * hundred, 100 * hundred + 100):
        text = _with_slips(emit(a_document(number)), random.Random(number))
        quick = read_canonical(text)
        if quick is not None:
            taken += 1
            assert repr(parse(source_text(text))) == repr(quick)
    assert taken  # or nothing was compared


@settings(max_examples=50)
@given(_DOCUMENTS)
def test_equal_data_is_equal_text(document: dict[str, Value]) -> None:
    text = emit(document)
    assert emit(parse(source_text(text))) == text


def _with_slips(text: str, chance: random.Random) -> str:
    """The text with one or two characters changed, added or gone."""
    characters = list(text)
    for _ in range(chance.randrange(1, 3)):
        at = chance.randrange(len(characters))
        characters[at : at + chance.randrange(2)] = chance.choice([[], [chance.choice(" \n:\"-a1x\\#\t{}[]?'")]])
        characters = characters or ["\n"]
    return "".join(characters)
