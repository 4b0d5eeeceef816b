"""docs/architecture.md and docs/explanation/security.md against the tree: every path they name is there."""

from __future__ import annotations

import re

import pytest

from tests.architecture.tree import PACKAGES, ROOT
from tests.docs.pages import codes, inline_code, pages, rows, section

_PATH = re.compile(r"(?:agent_sync|oci/agent_sync_oci|tests|schemas|docs)/[\w./-]*")


@pytest.mark.parametrize("page", pages())
def test_every_path_of_the_repository_that_a_page_names_is_there(page: str) -> None:
    named = [code for code in inline_code(page) if _PATH.fullmatch(code)]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_room_of_the_package_has_a_layer() -> None:
    named = {code for row in rows(section("docs/architecture.md", "Layers")) for code in codes(row[0])}
    directory = PACKAGES["agent_sync"]
    rooms = {f"agent_sync/{path.parent.name}/" for path in directory.glob("*/__init__.py")}
    alone = {f"agent_sync/{path.name}" for path in directory.glob("*.py") if not path.name.startswith("_")}
    assert rooms | alone <= named


def test_a_noun_is_defined_where_the_page_says() -> None:
    for nouns, _, where in rows(section("docs/architecture.md", "The nouns")):
        text = (ROOT / codes(where)[0]).read_text(encoding="utf-8")
        for noun in codes(nouns):
            defined = rf"^(?:class {noun}\b|{noun} = )"
            assert re.search(defined, text, re.MULTILINE), noun
