"""The content gate: what executes and what hides is refused, unless the source is allowed it."""

from __future__ import annotations

import tracemalloc

import pytest

from agent_sync.errors import ContentRefused
from agent_sync.guard import find_hidden_text, is_executable_config
from agent_sync.tree import RelPath
from tests.builders.projects import a_local_project

EXECUTED = [
    ".claude/settings.json",
    ".CLAUDE/Settings.JSON",
    ".claude/settings.local.json",
    ".mcp.json",
    "packages/x/.mcp.json",
    ".cursor/mcp.json",
    ".vscode/tasks.json",
    ".github/workflows/ci.yml",
    ".husky/pre-commit",
    ".codex/config.toml",
]
HARMLESS = ["settings.json", "claude/settings.json", ".claude/skills/x/SKILL.md", ".github/copilot/a.md", "mcp.json"]


@pytest.mark.parametrize("path", EXECUTED)
def test_what_some_program_executes_is_known_in_any_case(path: str) -> None:
    assert is_executable_config(RelPath(path))


@pytest.mark.parametrize("path", HARMLESS)
def test_what_only_looks_like_it_is_not(path: str) -> None:
    assert not is_executable_config(RelPath(path))


HIDDEN = [
    ("ok\nhid\U000e0041\U000e0042den", "tag characters"),
    ("if (admin\u202e) {", "bidirectional overrides"),
    ("a\u2066b\u2069", "bidirectional overrides"),
    ("x\ufe00\ufe01\ufe02", "a run of variation selectors"),
    ("x\U000e0100\U000e0101", "a run of variation selectors"),
    ("a\u200b\u200c\u200b\u200cb", "a run of zero-width characters"),
]
HONEST = [
    "plain",
    "\ufeffwith a mark",
    "\u2764\ufe0f and \U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
]


@pytest.mark.parametrize(("text", "what"), HIDDEN)
def test_hidden_text_is_found(text: str, what: str) -> None:
    found = find_hidden_text([text.encode()])
    assert found is not None
    assert found.what == what


def test_it_is_placed_by_line_and_column() -> None:
    assert find_hidden_text(["one\ntwo \U000e0041".encode()]) == ("tag characters", 2, 5)


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_passes(text: str) -> None:
    assert find_hidden_text([text.encode()]) is None


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN] + HONEST)
def test_it_does_not_matter_in_what_pieces_a_file_comes(text: str) -> None:
    whole = f"one\ntwo {text} three".encode()
    expected = find_hidden_text([whole])
    for end in range(len(whole) + 1):
        assert find_hidden_text([whole[:end], whole[end:]]) == expected
    assert find_hidden_text([whole[at : at + 1] for at in range(len(whole))]) == expected


def test_no_more_than_a_piece_of_a_file_is_held() -> None:
    piece = "wörds and words — \u2764\ufe0f\n".encode() * 8_000
    tracemalloc.start()
    try:
        assert find_hidden_text(piece for _ in range(200)) is None
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20 * len(piece) < 200 * len(piece)


def test_of_a_binary_file_the_rest_is_not_asked_for() -> None:
    pieces = iter([b"text", b"\xff", b"the rest"])
    assert find_hidden_text(pieces) is None
    assert list(pieces) == [b"the rest"]


def test_binary_files_are_not_text() -> None:
    assert find_hidden_text([b"\xff" + "\u202e".encode()]) is None


def test_a_nul_hides_nothing() -> None:
    """One would else do to carry any text past the gate."""
    assert find_hidden_text(["\0\u202e".encode()]) is not None


def test_a_file_becomes_dangerous_by_where_it_lands() -> None:
    project = a_local_project(rules={"settings.json": "{}"})
    project.project().update()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "claude-code"))
    [refused] = project.project().update().failures.values()
    assert isinstance(refused, ContentRefused)
    assert ".claude/settings.json" in refused.check
    assert "allow: [executable-config]" in (refused.remedy or "")


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [(".mcp.json", "{}", "executable-config"), ("a.md", "hid\U000e0041den\n", "hidden-unicode")],
)
def test_a_source_may_be_allowed_each_by_name(path: str, text: str, word: str) -> None:
    project = a_local_project(rules={path: text})
    [refused] = project.project().update().failures.values()
    assert isinstance(refused, ContentRefused)
    assert "agent-sync.lock" not in project.files
    declared = project.read("agent-sync.yaml").replace("path: ./rules/", f"path: ./rules/, allow: [{word}]")
    project.put("agent-sync.yaml", declared)
    assert not project.project().update().failures
