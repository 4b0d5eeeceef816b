"""Our engine against the real text/template, on thousands of random templates (`go` must be installed; in CI it is)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from agent_sync.transform.template.format import UNICODE_VERSION, is_printable
from tests.unit.template.differences import is_deliberate
from tests.unit.template.oracle import Answer, Oracle, our_answer
from tests.unit.template.templates import DATA, LARGE, Writer, random_value

ALL_CHARACTERS = range(0x110000)


@pytest.mark.parametrize(
    ("write", "count", "least_that_work"),
    [
        pytest.param(Writer.file, 3000, 1000, id="sensible templates"),
        pytest.param(Writer.damaged, 2000, 200, id="damaged templates"),
        pytest.param(Writer.soup, 3000, 10, id="words in no order"),
        pytest.param(Writer.printf, 3000, 2500, id="printf"),
    ],
)
def test_random_templates_come_out_as_in_go(
    oracle: Oracle, write: Callable[[Writer], str], count: int, least_that_work: int
) -> None:
    random = Random(20240229)
    worked = 0
    for _ in range(count):
        text = write(Writer(random))
        data = DATA | LARGE | {"r": random_value(random)}
        ours = our_answer(text, data)
        if is_deliberate(text, ours):
            continue
        theirs = oracle.answer(text, data)
        worked += theirs.output is not None
        assert ours.verdict == theirs.verdict or is_deliberate(text, ours, theirs), (text, ours, theirs)
    assert worked >= least_that_work


def test_every_character_is_printed_or_escaped_as_in_go(oracle_program: Path) -> None:
    listing = subprocess.run([oracle_program, "printable"], capture_output=True, text=True, check=True)
    version, *runs = listing.stdout.split()
    if version != UNICODE_VERSION:
        pytest.skip(f"this Go knows Unicode {version}; our table is that of {UNICODE_VERSION}")
    expected: list[bool] = []
    for index, run in enumerate(runs):
        expected += [index % 2 == 1] * int(run, 36)
    expected += [False] * (len(ALL_CHARACTERS) - len(expected))
    assert [is_printable(code) for code in ALL_CHARACTERS] == expected


def test_a_difference_would_be_seen(oracle: Oracle) -> None:
    theirs = oracle.answer("{{printf `%v` .f}}", DATA)
    assert theirs.verdict == Answer(output=b"2.5").verdict
    assert our_answer("{{printf `%f` .f}}", DATA).verdict != theirs.verdict
    assert our_answer("{{.missing}}", DATA).verdict != theirs.verdict
