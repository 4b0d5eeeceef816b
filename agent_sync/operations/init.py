"""init: write a commented agent-sync.yaml for the tools that are used here."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.config.effective import SPEC_TOOL_MAP, TOOL_MAPS
from agent_sync.errors import UsageError
from agent_sync.ports import Directory, Kind
from agent_sync.tree import RelPath
from agent_sync_oci.text import quoted

# A directory that says its tool is used here, where that is another one than the tool's destination.
_SIGNS = {
    "cursor": (".cursor",),
    "claude-code": (".claude", "CLAUDE.md"),
    "copilot": (".github/copilot", ".github/copilot-instructions.md"),
    "windsurf": (".windsurf",),
    "cline": (".cline", ".clinerules"),
    "codex": (".codex", "AGENTS.md"),
}
_STARTER_RULES = RelPath("agents/rules.md")

_TEMPLATE = """\
# What this project's coding agents read: declared here, pinned in agent-sync.lock, written by `agent-sync sync`.
version: 1

# Where files come from: git repositories, urls, directories of this project.
sources:
  - name: project-rules
    type: local
    path: ./agents/
  # - name: team-rules
  #   type: git
  #   repo: https://github.com/your-org/rules.git
  #   ref: v1.0.0            # a tag, branch or commit; the lock pins the commit
  #   paths: [core/]         # only these files and directories
  # - name: policy
  #   type: url
  #   url: https://example.com/policy.md
  #   checksum: sha256:...   # what `sha256sum` prints for the file that you looked at

# Where files go: to tools, whose directories agent-sync knows, or to a directory of your own (`destination:`).
targets:
  - source: project-rules
    tools: [{tools}]

# What templates see, as {{{{ .project }}}}; see `transforms:` in the documentation.
# variables:
#   project: {project}
"""

_RULES = """\
# Rules for agents in this project

Say here what every agent should know. `agent-sync update` locks this file, `agent-sync sync` gives it to each tool.
"""


@dataclass(frozen=True, slots=True)
class InitResult:
    """The files that were written, and the tools that they are for.

    `found` says whether the tools were detected in the project.
    """

    written: tuple[RelPath, ...]
    tools: tuple[str, ...]
    found: bool


def init(project: Directory, name: RelPath) -> InitResult:
    """Write a configuration called `name`, with a first source in the project that can be synced at once.

    Raises: UsageError if there is a configuration already, FileSystemError.
    """
    if project.stat(name) is not None:
        raise UsageError(
            subject=quoted(name)[1:-1], check="already exists", remedy="edit it, or remove it and run init again"
        )
    seen = tuple(tool for tool in TOOL_MAPS[SPEC_TOOL_MAP] if _is_used(project, tool))
    tools = seen or ("claude-code",)
    written = []
    if project.stat(RelPath("agents")) is None:
        project.create(_STARTER_RULES, (_RULES.encode(),))
        written.append(_STARTER_RULES)
    text = _TEMPLATE.format(tools=", ".join(tools), project=_project_name(project))
    project.create(name, (text.encode(),))
    return InitResult((name, *written), tools, bool(seen))


def _is_used(project: Directory, tool: str) -> bool:
    return any(
        (stat := project.stat(RelPath(sign))) and stat.kind in (Kind.FILE, Kind.DIRECTORY) for sign in _SIGNS[tool]
    )


def _project_name(project: Directory) -> str:
    name = project.name.rstrip("/").rpartition("/")[2]
    return name if name.isidentifier() or name.replace("-", "").isalnum() else "my-project"
