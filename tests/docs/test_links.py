"""Every link of every page leads somewhere, and every page is reached from the index."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.pages import anchors, links, pages


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_to_a_file_or_directory(page: str) -> None:
    missing = [link.target for link in links(page) if not (ROOT / link.file).exists()]
    assert missing == []


@pytest.mark.parametrize("page", pages())
def test_every_anchor_is_a_heading(page: str) -> None:
    to_headings = [link for link in links(page) if link.anchor and (ROOT / link.file).is_file()]
    lost = [link.target for link in to_headings if link.anchor not in anchors(os.path.normpath(link.file))]
    assert lost == []


@pytest.mark.parametrize("page", pages())
def test_no_link_leaves_the_repository_through_a_path(page: str) -> None:
    outside = [link.target for link in links(page) if not (ROOT / link.file).resolve().is_relative_to(ROOT)]
    assert outside == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = (os.path.normpath(link.file) for link in links(page))
            waiting += [target for target in targets if target in pages()]
    assert sorted(set(pages()) - reached) == []


def test_the_index_names_every_page_of_the_documentation_itself() -> None:
    named = {os.path.normpath(link.file) for link in links("docs/index.md")}
    expected = {page for page in pages() if page.startswith("docs/") and not page.startswith("docs/decisions/0")}
    assert expected - named == {"docs/index.md"}


def test_there_are_links_to_check() -> None:
    assert len(list(chain.from_iterable(links(page) for page in pages()))) > 50
    assert all(Path(page).suffix == ".md" for page in pages())
