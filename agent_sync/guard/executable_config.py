"""Files that an editor, an agent, git or a forge runs commands from as soon as they lie in a project."""

from __future__ import annotations

import re

from agent_sync.tree import RelPath
from agent_sync.tree.names import fold

# Each may lie at any depth: a folder of the project is somebody's workspace too. All lower-case; matched after folding.
_FILES = (
    r"\.mcp\.json",
    r"\.claude/settings(?:\.local)?\.json",
    r"\.claude/hooks/.+",
    r"\.cursor/(?:mcp|hooks|environment)\.json",
    r"\.codex/config\.toml",
    r"\.gemini/settings\.json",
    r"\.windsurf/hooks\.json",
    r"\.vscode/(?:tasks|launch|settings|mcp)\.json",
    r"\.idea/runconfigurations/.+",
    r"\.devcontainer(?:/.*)?/devcontainer\.json",
    r"\.devcontainer\.json",
    r"\.github/(?:workflows|actions)/.+",
    r"\.gitlab-ci\.yml",
    r"\.circleci/.+",
    r"\.husky/.+",
    r"\.pre-commit-config\.yaml",
    r"\.envrc",
    r"\.gitmodules",
    r"\.gitattributes",
)
_MATCH = re.compile(rf"(?:.*/)?(?:{'|'.join(_FILES)})")


def is_executable_config(path: RelPath) -> bool:
    """Whether a file at this output path is executable configuration, in any case variant."""
    if path.isascii() and not path.startswith(".") and "/." not in path:  # all of them have a name that begins so
        return False
    return _MATCH.fullmatch(fold(path)) is not None
