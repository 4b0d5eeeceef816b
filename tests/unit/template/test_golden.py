"""Our engine against what Go answered: cases.json, recorded with tests/golden/template/record.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.template.differences import is_deliberate
from tests.unit.template.oracle import GOLDEN, Oracle, decoded, our_answer, read_answer

CORPUS: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
GROUPS = [pytest.param(group["cases"], id=group["about"]) for group in CORPUS["groups"]]


@pytest.mark.parametrize("cases", GROUPS)
def test_every_recorded_case_comes_out_as_in_go(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        ours, theirs = our_answer(case["text"], data_of(case)), read_answer(case)
        if not is_deliberate(case["text"], ours, theirs):
            assert ours.verdict == theirs.verdict, (case["text"], ours, theirs)


@pytest.mark.parametrize("cases", GROUPS)
def test_every_recorded_error_is_found_on_the_line_that_go_names(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        ours, theirs = our_answer(case["text"], data_of(case)), read_answer(case)
        if ours.error is not None and theirs.error is not None:
            assert ours.line == theirs.line, (case["text"], ours, theirs)


def test_the_record_is_what_go_says_today(oracle: Oracle) -> None:
    for group in CORPUS["groups"]:
        for case in group["cases"]:
            assert oracle.answer(case["text"], data_of(case)).verdict == read_answer(case).verdict, case


def test_the_record_is_large_and_holds_both_results_and_errors() -> None:
    cases = [case for group in CORPUS["groups"] for case in group["cases"]]
    assert len(cases) > 1000
    assert sum("error" in case for case in cases) > 300
    assert sum("output" in case for case in cases) > 600


def data_of(case: dict[str, Any]) -> dict[str, Any]:
    """The common data, and what the case adds to it."""
    data: dict[str, Any] = decoded(CORPUS["data"] | case.get("data", {}))
    return data
