"""docs/explanation/security.md: the files that it says the content gate refuses are refused."""

from __future__ import annotations

import re

import pytest

from agent_sync.guard import is_executable_config
from agent_sync.tree import RelPath
from tests.docs.pages import codes, prose, section

PAGE = "docs/explanation/security.md"


def _refused() -> list[str]:
    """The files of the gate's first kind, a `*` standing for any name."""
    found = re.search(r"^- `executable-config`:(.*?)^- ", section(PAGE, "The content gate"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return codes(found[1].replace("\n", " "))


@pytest.mark.parametrize("name", _refused())
def test_the_gate_refuses_what_the_page_names(name: str) -> None:
    path = name.replace("*", "x")
    assert is_executable_config(RelPath(path))
    assert is_executable_config(RelPath(f"deep/down/{path.upper()}"))
    assert not is_executable_config(RelPath(f"{path}.md")) or name.endswith("*")


def test_both_pages_on_security_promise_the_same() -> None:
    """Each bold promise of the short form stands in the long one, in its words or as a row of its table."""
    short = {code.rstrip(".") for code in re.findall(r"^- \*\*(.+?)\*\*", prose("SECURITY.md"), re.MULTILINE)}
    long = prose(PAGE)
    assert short
    assert {promise for promise in short if promise not in long} == set()
