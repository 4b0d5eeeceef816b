"""What the documentation shows is what the program reads: configurations, policies, commands and flags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from agent_sync.config.discovery import ConfigPath
from agent_sync.config.layer import Level, read_layer
from agent_sync.documents import read_document
from agent_sync.errors import ConfigInvalid
from agent_sync.lock.file import read_lock
from tests.docs.commands import flags, named_command
from tests.docs.pages import Block, blocks, inline_code, pages

_LEVELS: dict[str, Level] = {
    "agent-sync.yaml": "project",
    "~/.config/agent-sync/agent-sync.yaml": "user",
    "/etc/agent-sync/policy.yaml": "policy",
    "policy.yaml": "policy",
}
_COMMAND = re.compile(r"^(?:\$ |\s*- run: )?(agent-sync .+)$", re.MULTILINE)
_YAML = [block for page in pages() for block in blocks(page) if block.language == "yaml"]


@pytest.mark.parametrize("block", _YAML, ids=str)
def test_a_yaml_example_names_its_file_and_can_be_read(block: Block) -> None:
    assert block.file is not None, "begin it with a comment that names the file: `# agent-sync.yaml`"
    content = block.text.encode()
    if block.file == "agent-sync.lock":
        read_lock(content)
    elif block.file in _LEVELS:
        layer = read_layer(content, ConfigPath(block.file, block.file), level=_LEVELS[block.file])
        assert layer.warnings == ()
    else:
        assert read_document(content, file=block.file, error=ConfigInvalid, max_bytes=100_000).data


def _command_lines() -> Iterator[tuple[str, str]]:
    """Every `agent-sync ...` that a page shows, with its page: in consoles and scripts, and in the prose."""
    for page in pages():
        for block in blocks(page):
            if block.language in ("console", "sh", "yaml"):
                yield from ((page, line) for line in _COMMAND.findall(block.text))
        yield from ((page, code) for code in inline_code(page) if code.startswith("agent-sync "))


_SHOWN = sorted(set(_command_lines()))


@pytest.mark.parametrize(("page", "line"), _SHOWN, ids=[f"{page}: {line}" for page, line in _SHOWN])
def test_a_command_that_a_page_shows_exists_with_its_flags(page: str, line: str) -> None:
    words = shlex.split(line.replace("|", " ").replace("[", " ").replace("]", " "), comments=True)[1:]
    command = named_command(words)
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    if command is None:
        assert given
        assert given <= flags()[()], f"{page} shows a command that does not exist"
    else:
        assert given <= flags()[command]


def test_there_are_commands_to_check() -> None:
    assert len(_SHOWN) > 30
