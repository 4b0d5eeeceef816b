"""The Python of the documentation: every ```pycon example runs, from the top of its page, and prints what is shown."""

from __future__ import annotations

import ast
import contextlib
import doctest
from pathlib import Path

import pytest

from tests.docs.pages import blocks, pages

_OF_PYTHON = [page for page in pages() if any(block.language == "pycon" for block in blocks(page))]


def _as_one_test(page: str) -> doctest.DocTest:
    """The page's examples, in order, with one set of names; the numbers of lines are those of the page."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language == "pycon":
            lines += [""] * (block.line - len(lines))
            lines += block.text.split("\n")
    return doctest.DocTestParser().get_doctest("\n".join(lines), {}, page, page, 0)


@pytest.mark.parametrize("page", _OF_PYTHON)
def test_the_examples_of_a_page_run(page: str, tmp_path: Path) -> None:
    test = _as_one_test(page)
    assert test.examples
    said: list[str] = []
    with contextlib.chdir(tmp_path):
        results = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert results.failed == 0, "".join(said)


def test_the_library_is_shown_by_examples() -> None:
    assert "docs/reference/library.md" in _OF_PYTHON


@pytest.mark.parametrize("page", pages())
def test_python_that_is_only_shown_can_be_parsed(page: str) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text, filename=str(block))
