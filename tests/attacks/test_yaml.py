"""YAML as an attacker writes it: an error that names the file, in bounded time and memory, and never anything else."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.documents import emit, read_document
from agent_sync.errors import LimitExceeded, LockInvalid
from tests.builders.documents import a_document, a_lock

_MAX_BYTES = 4_000_000
_MAX_CPU_S = 10.0
"""A megabyte takes one second of an idle machine; what grows with the square takes hours."""

_MEGABYTE = 1_000_000
_ONE_FILE = f"version: 1\nfiles:\n  a:\n    sha256: {'a' * 64}\n"

_BOMBS = {
    "flow lists side by side": "a: [" + "[]," * (_MEGABYTE // 3) + "]",
    "flow maps side by side": "a: [" + "{}," * (_MEGABYTE // 3) + "]",
    "flow lists inside each other": "a: " + "[" * _MEGABYTE,
    "flow maps inside each other": "a: " + "{a: " * (_MEGABYTE // 4),
    "1,200 block levels": "".join(" " * level + "a:\n" for level in range(1200)),
    "1,200 levels in our own spelling": "version: 1\n" + "".join(f"{'  ' * i}a:\n" for i in range(1200)) + "x: 1\n",
    "dashes": "a:\n " + "- " * (_MEGABYTE // 2),
    "question marks": "? " * (_MEGABYTE // 2),
    "question marks in a flow": "a: {" + "? ," * (_MEGABYTE // 3),
    "colons": ":" * _MEGABYTE,
    "a billion laughs": "a: &a [x]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in pairwise("abcdefghij")),
    "anchors": "a: [" + "&a x," * (_MEGABYTE // 5) + "]",
    "exclamation marks": "!" * _MEGABYTE,
    "percent signs in a tag": "a: !" + "%41" * (_MEGABYTE // 3),
    "asterisks": "*" * _MEGABYTE,
    "blanks": "version: 1\n" + " " * _MEGABYTE,
    "blanks in a map of files": _ONE_FILE + " " * _MEGABYTE + "\n",
    "blanks and colons in a map of files": _ONE_FILE + " :" * (_MEGABYTE // 2) + "\n",
    "an open quote": "version: 1\na: \"" + "\\\"" * (_MEGABYTE // 2),
    "a quoted key": 'version: 1\n"' + "\\n" * (_MEGABYTE // 2) + '": 1\n',
    "words on one line": "a: " + "x " * (_MEGABYTE // 2),
    "words on many lines": "a: x\n" + " x\n" * (_MEGABYTE // 3),
    "empty lines": "a:" + "\n" * _MEGABYTE,
    "comments": "#\n" * (_MEGABYTE // 2),
    "documents": "---\n" * (_MEGABYTE // 4),
    "directives": "%A\n" * (_MEGABYTE // 3),
    "digits": "a: " + "1" * _MEGABYTE,
    "underscores": "a: 1" + "_" * _MEGABYTE + "x",
    "an exponent": "a: 1.0e+" + "9" * _MEGABYTE,
    "the same key": "a: 1\n" * (_MEGABYTE // 5),
    "the same key in maps": "a:\n" + "- {b: 1, b: 2}\n" * (_MEGABYTE // 15),
    "keys": "version: 1\n" + "".join(f"k{number}: 1\n" for number in range(80_000)),
    "open maps of files": "version: 1\n" + "".join(f"{' ' * 2 * i}a:\n" for i in range(60)) + "x:\n" * (_MEGABYTE // 3),
    "equals signs": "=" * _MEGABYTE,
    "conflict markers": "<" * _MEGABYTE,
}  # fmt: skip


def _survives(content: bytes) -> bool:
    """Whether it was read; False is a refusal of the kind that was asked for, with a place and a way out."""
    refused = _refusal(content)
    if isinstance(refused, LockInvalid):
        assert refused.place is not None
        assert refused.place.line >= 1
        assert refused.place.column >= 1
        assert refused.remedy
        assert (refused.check + refused.remedy).isprintable()
    return refused is None


def _refusal(content: bytes) -> LockInvalid | LimitExceeded | None:
    try:
        read_document(content, file="agent-sync.lock", error=LockInvalid, max_bytes=_MAX_BYTES)
    except (LockInvalid, LimitExceeded) as refused:
        return refused
    return None


@pytest.mark.parametrize("bomb", _BOMBS)
def test_a_bomb_is_read_or_refused_in_bounded_time(bomb: str) -> None:
    started = time.process_time()
    _survives(_BOMBS[bomb].encode())
    assert time.process_time() - started < _MAX_CPU_S


def test_a_bomb_does_not_eat_memory() -> None:
    """24 megabytes of maps, which would become 600 of Python's, in a process that may have 400."""
    program = f"""
import resource, sys
sys.path[:] = {sys.path!r}
resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))
from agent_sync.documents import read_document
from agent_sync.errors import LimitExceeded, LockInvalid
try:
    read_document(b"a: [" + b"{{}}," * 8_000_000 + b"]", file="f", error=LockInvalid, max_bytes=30_000_000)
except LimitExceeded as refused:
    print(refused.check)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.stdout == "more than 2000000 keys and values\n", answer.stderr[-2000:]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system",
        "!!python/object/new:os.system",
        "!<tag:yaml.org,2002:python/object/apply:os.system>",
    ],
)
def test_a_tag_runs_nothing(tag: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    refused = _refusal(f"a: {tag} ['touch {mark}']\n".encode())
    assert refused is not None
    assert "YAML tags" in refused.check
    assert not mark.exists()


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    _survives(content)
    _survives(b"version: 1\n" + content)


@given(st.text(alphabet="ab1:-?,[]{}&*!|>'\"%@`#~=<.\\ \n\t\r\u2028\ufeff", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    _survives(text.encode())


def test_a_lock_with_bits_flipped_is_read_or_refused() -> None:
    """One of the two for each; most flips are inside a word, and the schema is what looks at words."""
    chance = random.Random(1)
    content = emit(a_lock(20, sources=2)).encode()
    survived = []
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        survived.append(_survives(bytes(damaged)))
    assert {True, False} == set(survived)


def test_a_document_cut_anywhere_is_read_or_refused() -> None:
    for number in range(40):
        content = emit(a_document(number)).encode()
        for length in range(0, len(content), max(1, len(content) // 40)):
            _survives(content[:length])


def test_a_character_is_read_as_it_is_or_refused_as_a_hidden_one() -> None:
    """What the parser calls unprintable is refused before, in our words; what we do not refuse arrives."""
    special = {0xD7FF, 0xE000, 0x10000, 0x1FFFE, 0x1FFFF, 0xE0001, 0x10FFFF}
    for character in map(chr, sorted({*range(0x3000), *range(0xFE00, 0x10000), *special} - {*map(ord, "\n'")})):
        content = f"a: 'x{character}x'\n".encode()
        refused = _refusal(content)
        if refused is None:
            read = read_document(content, file="f", error=LockInvalid, max_bytes=100)
            assert read.data == {"a": f"x{character}x"}
        else:
            assert "not valid YAML" not in refused.check, repr(character)
            assert not character.isprintable()
