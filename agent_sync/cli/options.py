"""What several commands take: names of sources, a policy, and the options of every command (spec §9.8)."""

from __future__ import annotations

import inspect
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Annotated

import typer

from agent_sync.cli import commands
from agent_sync.errors import UsageError
from agent_sync_oci.records import record

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Names of sources.  [default: all]", show_default=False)
]

PolicyFile = Annotated[
    str | None,
    typer.Option("--policy", metavar="FILE", help="Also enforce this policy file (it can only add requirements)."),
]


@record
class GlobalOptions:
    """The options that every command takes; `config` and `lockfile` are paths from the current directory."""

    config: str | None = None
    lockfile: str | None = None
    no_inherit: bool = False
    offline: bool = False
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    no_color: bool = False


# A module of `agent_sync.cli.commands` is a command, or a group of commands. No other list is kept.
MODULES = tuple(
    sorted([name[:-3] for name in os.listdir(commands.__path__[0]) if name.endswith(".py") and name[0] != "_"])
)

_TAKE_POLICY = frozenset({"sync", "pull", "bundle verify"})
_COMMAND = rf"agent-sync (bundle verify|{'|'.join(MODULES)})\b(?! --policy)"

_ABOUT = {
    "config": "The configuration; its directory is the project.  [default: agent-sync.yaml]",
    "lockfile": "The lock file.  [default: agent-sync.lock beside the configuration]",
    "no_inherit": "Ignore the user's and the system's configuration; recommended in CI.",
    "offline": "Work offline; fail if something is not cached.",
    "json": "Write one JSON document instead of text.",
    "verbose": "Also show each file, each source, and the output of custom commands.",
    "quiet": "Show errors only.",
    "no_color": "Disable colors and progress bars, like NO_COLOR=1.",
}


def flag_name(name: str) -> str:
    """Return the flag of a field, such as `--no-color`."""
    return f"--{name.replace('_', '-')}"


GLOBAL_FLAGS = tuple(flag_name(field.name) for field in fields(GlobalOptions))
_TAKES_VALUE = {flag_name(field.name): field.default is None for field in fields(GlobalOptions)}


def global_parameters(*, hidden: bool = False) -> Iterator[inspect.Parameter]:
    """Yield a parameter for each flag, as typer reads them from a signature; `hidden` ones are not in the help."""
    for field in fields(GlobalOptions):
        option = typer.Option(
            flag_name(field.name),
            help=_ABOUT[field.name],
            metavar="PATH" if field.default is None else None,
            hidden=hidden,
        )
        kind = str | None if field.default is None else bool
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[kind, option]
        )


def split_options(values: Mapping[str, object]) -> tuple[GlobalOptions, dict[str, object]]:
    """Return what typer has read in two parts: the options of every command, and the command's own values."""
    names = {field.name for field in fields(GlobalOptions)}
    options = GlobalOptions(**{name: value for name, value in values.items() if name in names})  # type: ignore[arg-type]
    return options, {name: value for name, value in values.items() if name not in names}


def reject_conflicting(**given: bool) -> None:
    """Raise UsageError if more than one of these flags was given: they exclude each other."""
    flags = [flag_name(name) for name, is_given in given.items() if is_given]
    if len(flags) > 1:
        raise UsageError(subject=" and ".join(flags), check="mutually exclusive", remedy=f"give {' or '.join(flags)}")


def with_options(text: str, options: GlobalOptions, policy: str | None = None) -> str:
    """Return the text with every command in it about the same project: `agent-sync --config team.yaml sync`.

    A command that takes `--policy` gets the one that was given, too.
    """
    given = [
        *(["--config", options.config] if options.config is not None else []),
        *(["--lockfile", options.lockfile] if options.lockfile is not None else []),
        *(["--no-inherit"] if options.no_inherit else []),
    ]
    if not given and policy is None:
        return text

    def completed(command: re.Match[str]) -> str:
        last = ["--policy", policy] if policy is not None and command[1] in _TAKE_POLICY else []
        return " ".join(("agent-sync", *map(shlex.quote, given), command[1], *map(shlex.quote, last)))

    return re.sub(_COMMAND, completed, text)


def leading_flags(arguments: Sequence[str]) -> list[str]:
    """Return the global flags, with their values, that `arguments` begin with."""
    end = 0
    while end < len(arguments):
        flag, equals, _ = arguments[end].partition("=")
        if flag not in _TAKES_VALUE or (equals and not _TAKES_VALUE[flag]):
            break
        end += 2 if _TAKES_VALUE[flag] and not equals else 1
    return list(arguments[:end])
