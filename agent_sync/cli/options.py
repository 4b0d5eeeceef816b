"""What several commands take: names of sources, and the flags of every command (spec §9.8)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated

import typer

from agent_sync.errors import UsageError

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Names of sources.  [default: all]", show_default=False)
]

PolicyFile = Annotated[
    str | None,
    typer.Option("--policy", metavar="FILE", help="Demand what this policy file says, too; it takes nothing away."),
]


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was said on the command line; `config` and `lockfile` are paths from the current directory."""

    config: str | None = None
    lockfile: str | None = None
    no_inherit: bool = False
    offline: bool = False
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    no_color: bool = False


_ABOUT = {
    "config": "The configuration; its directory is the project.  [default: agent-sync.yaml]",
    "lockfile": "The lock.  [default: agent-sync.lock beside the configuration]",
    "no_inherit": "Read the project's configuration only, not the user's and the system's; recommended in CI.",
    "offline": "Open no connection: what is not in the store is an error.",
    "json": "Write one JSON document instead of text.",
    "verbose": "Say more: each file, each source, what commands print.",
    "quiet": "Write errors only.",
    "no_color": "No colours, nothing that moves; NO_COLOR=1 does the same.",
}


def flag_name(name: str) -> str:
    """The flag of a field, such as `--no-color`."""
    return f"--{name.replace('_', '-')}"


_TAKES_VALUE = {flag_name(field.name): field.default is None for field in fields(GlobalOptions)}


def global_parameters() -> Iterator[inspect.Parameter]:
    """A parameter for each flag, as typer reads them from a signature."""
    for field in fields(GlobalOptions):
        option = typer.Option(
            flag_name(field.name), help=_ABOUT[field.name], metavar="PATH" if field.default is None else None
        )
        kind = str | None if field.default is None else bool
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[kind, option]
        )


def split_options(values: Mapping[str, object]) -> tuple[GlobalOptions, dict[str, object]]:
    """What typer has read -> the flags that every command takes, and the command's own values."""
    names = {field.name for field in fields(GlobalOptions)}
    options = GlobalOptions(**{name: value for name, value in values.items() if name in names})  # type: ignore[arg-type]
    return options, {name: value for name, value in values.items() if name not in names}


def reject_conflicting(**given: bool) -> None:
    """Nothing, unless more than one of these flags was given: they exclude each other. Raises UsageError."""
    flags = [flag_name(name) for name, is_given in given.items() if is_given]
    if len(flags) > 1:
        raise UsageError(
            subject=" and ".join(flags), check="they exclude each other", remedy=f"give {' or '.join(flags)}"
        )


def leading_flags(arguments: Sequence[str]) -> list[str]:
    """The global flags, with their values, that `arguments` begin with."""
    end = 0
    while end < len(arguments):
        flag, equals, _ = arguments[end].partition("=")
        if flag not in _TAKES_VALUE or (equals and not _TAKES_VALUE[flag]):
            break
        end += 2 if _TAKES_VALUE[flag] and not equals else 1
    return list(arguments[:end])
