"""docs/reference/errors.md, written from the program: the rule, the exit code, and the meaning of each error."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence

from agent_sync.cli.run import InternalError
from agent_sync.errors import AgentSyncError

PATH = "docs/reference/errors.md"

_MODULES = ("agent_sync.errors", "agent_sync_oci.errors")

_INTRODUCTION = """\
# Errors and exit codes

*Written by `python -m tests.generated` from the program itself.*

An error has a `subject`, the `check` that failed, and usually a `remedy`. The first line consists of subject and check
and is a whole sentence. An error about a place in a file shows the line:

```
error[unknown-tool]: targets[0].tools[0]: unknown tool "cursr"
  --> agent-sync.yaml:14:13
   |
14 |     tools: [cursr, claude-code]
   |             ^^^^^
help: did you mean "cursor"? Define your own under tool_definitions.
```

With `--json`, the field `error` of the document has the same content. In Python, every error is an exception:
`agent_sync.AgentSyncError` is the root of the tree, and `agent_sync.errors` has the others. The library raises errors
and never exits.

If several sources fail, each error is shown. If no source succeeded and all failed for the same reason, the exit code
is the code of that reason; otherwise the exit code is 14.

| Code | Rule | Exception | Meaning |
|--:|---|---|---|"""


def errors() -> Mapping[str, str]:
    """The page, by its path."""
    return {PATH: "\n".join((_INTRODUCTION, *_rows(), ""))}


def families() -> Sequence[type[AgentSyncError]]:
    """The children of the root that callers may catch, by exit code."""
    return sorted((InternalError, *_children(AgentSyncError)), key=lambda family: family.exit_code)


def family_of(error: type[AgentSyncError]) -> tuple[type[AgentSyncError], ...]:
    """The error and all that are derived from it in the two modules of errors, in the order of their definition."""
    return (error, *(descendant for child in _children(error) for descendant in family_of(child)))


def meaning_of(error: type[AgentSyncError]) -> str:
    """The first paragraph of its docstring, on one line."""
    return " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())


def _children(error: type[AgentSyncError]) -> list[type[AgentSyncError]]:
    return [each for each in error.__subclasses__() if each.__module__ in _MODULES]


def _rows() -> Iterator[str]:
    for family in families():
        yield from (_row(error) for error in family_of(family))


def _row(error: type[AgentSyncError]) -> str:
    return f"| {error.exit_code} | `{error.rule}` | `{error.__name__}` | {meaning_of(error)} |"
