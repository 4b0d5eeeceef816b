"""docs/reference/errors.md, written from the program: every rule, its family, its exit code, its meaning."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from agent_sync.cli.exit_codes import EXIT_CODES, INTERNAL
from agent_sync.cli.run import InternalError
from agent_sync.errors import AgentSyncError

PATH = "docs/reference/errors.md"

_INTRODUCTION = """\
# Errors and exit codes

*Written by `python -m tests.generated` from the program itself.*

An error says what it is about (`subject`), which check failed (`check`) and what to do (`remedy`); where it is about a
spot in a file it also shows the line. On a terminal and in a pipe:

```
error[unknown-tool]: no tool is called "cursr"
  --> agent-sync.yaml:14:13
   |
14 |     tools: [cursr, claude-code]
   |             ^^^^^
help: did you mean "cursor"? Define your own under tool_definitions.
```

With `--json` the same facts are in the field `error` of the document. In Python it is an exception, and its family is
its base class: `agent_sync.AgentSyncError` is the root of all, the others are in `agent_sync.errors`. The library
raises and never exits.

Where several sources failed, each is told. If none succeeded and all failed for one reason, the code is that reason's,
otherwise it is 14.

| code | rule | exception | what it says |
|--:|---|---|---|"""


def errors() -> Mapping[str, str]:
    """The page, by its path."""
    return {PATH: "\n".join((_INTRODUCTION, *_rows(), ""))}


def family_of(error: type[AgentSyncError]) -> tuple[type[AgentSyncError], ...]:
    """The error and all that are derived from it in agent_sync.errors, in the order of their definition."""
    own = [each for each in error.__subclasses__() if each.__module__ == "agent_sync.errors"]
    return (error, *(descendant for child in own for descendant in family_of(child)))


def _rows() -> Iterator[str]:
    for each in EXIT_CODES:
        for family in (InternalError,) if each.code == INTERNAL else each.families:
            yield from (_row(each.code, error) for error in family_of(family))


def _row(code: int, error: type[AgentSyncError]) -> str:
    meaning = " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())
    return f"| {code} | `{error.rule}` | `{error.__name__}` | {meaning} |"
