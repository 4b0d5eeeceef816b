"""The typer parser: argv -> the command that it names.

A module of `agent_sync.cli.commands` is imported only when its command is wanted.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from agent_sync.cli.options import GLOBAL_FLAGS, MODULES, flag_name, global_parameters, leading_flags, split_options
from agent_sync.cli.run import Invocation, Section, Verb, run_verb

# Commands of two words: the first word, and what the commands that share it are for.
GROUPS = {
    "bundle": "Inspect, verify, sign, and copy bundles.",
    "cache": "List, verify, and clean the cache.",
    "keys": "Generate keys for signing bundles.",
    "nix": "Use the locked trees in Nix.",
}

_CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Commands of two words; `verbs` has the module of each by its second word."""

    about: str
    verbs: Mapping[str, str]


CommandTable = Mapping[str, str] | Mapping[str, str | CommandGroup]


@dataclass(frozen=True, slots=True)
class SplitArgv:
    """argv in order: the command, the global flags before it or between its words, and the rest."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    rest: tuple[str, ...]
    complete: bool

    @property
    def to_parse(self) -> list[str]:
        """What the command parses, its flags included; for an incomplete command, what shows what is missing."""
        return [*self.flags, *self.rest] if self.complete else list(self.rest)


def command_table() -> CommandTable:
    """Return the module of each command by its name, or its group, in alphabetical order."""
    table: dict[str, str | CommandGroup] = {}
    for module in MODULES:
        first, _, second = module.partition("_")
        if second and first in GROUPS:
            group = table.setdefault(first, CommandGroup(GROUPS[first], {}))
            assert isinstance(group, CommandGroup)
            table[first] = CommandGroup(group.about, {**group.verbs, second.replace("_", "-"): module})
        else:
            table[module.replace("_", "-")] = module
    return table


def split_argv(arguments: Sequence[str], table: CommandTable) -> SplitArgv:
    """Return the arguments in order, with the command that `table` has for them."""
    command: list[str] = []
    flags: list[str] = []
    rest = list(arguments)
    entry: CommandTable | str = table
    while not isinstance(entry, str):
        leading = leading_flags(rest)
        flags, rest = flags + leading, rest[len(leading) :]
        found = entry.get(rest[0]) if rest else None
        if found is None:
            return SplitArgv(tuple(command), tuple(flags), tuple(rest), complete=False)
        command.append(rest.pop(0))
        entry = found.verbs if isinstance(found, CommandGroup) else found
    return SplitArgv(tuple(command), tuple(flags), tuple(rest), complete=True)


class Command(TyperCommand):
    """A command whose help names its arguments as people do, without braces and Python types."""

    section: Section

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  # typer has no public name for the type
        """Return what follows the command in its usage line."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        return [
            "[OPTIONS]",
            *(each.display_name_raw if each.required else f"[{each.display_name_raw}]..." for each in arguments),
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # typer has no public name for it
        """Write what each argument and each option means; the global options are explained once, in the main help."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        options = [each for each in self.get_params(ctx) if not isinstance(each, TyperArgument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(each.display_name_raw, each.help or "") for each in arguments])
        with formatter.section("Options"):
            formatter.write_dl([record for each in options if (record := each.get_help_record(ctx)) is not None])
        with formatter.section("Global options (see agent-sync --help)"):
            # `write_text` would break a flag at its hyphens.
            lines = textwrap.wrap(" ".join(GLOBAL_FLAGS), formatter.width - 2, break_on_hyphens=False)
            formatter.write("".join(f"  {line}\n" for line in lines))


class Group(TyperGroup):
    """Commands that share a first word, or all commands: the help shows them in sections."""

    section: Section

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # typer has no public name for it
        """Write the commands, and in the main help the options that every command takes."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([record for each in self.get_params(ctx) if (record := each.get_help_record(ctx))])
        if ctx.parent is None and self.name == ctx.command_path:
            with formatter.section("Global options, before or after the command"):
                formatter.write_dl([_help_record(each) for each in global_parameters()])

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the commands by section, in alphabetical order."""
        named = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        order = list(Section)
        # One width for all sections, so that their texts are one column.
        columns = max(len(name) for name, _ in named)
        by_section = sorted(named, key=lambda each: order.index(each[1].section))  # type: ignore[attr-defined]
        for section, members in groupby(by_section, key=lambda each: each[1].section):  # type: ignore[attr-defined]
            with formatter.section(section.value if self.section is Section.ALL else "Commands"):
                formatter.write_dl(
                    [(f"{name:<{columns}}", command.get_short_help_str(80)) for name, command in members]
                )


class LazyCommands(Mapping[str, TyperCommand | TyperGroup]):
    """Commands by name, in the order of their table; a module is imported when its command is wanted."""

    def __init__(self, table: CommandTable) -> None:
        self._table = table
        self._loaded: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._loaded:
            self._loaded[name] = named_command((name,), self._table)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def command_group(
    name: str, about: str, table: CommandTable, *, section: Section, root: Callable[..., None] | None = None
) -> Group:
    """Return a command that is followed by one of `table`; `root` is a function with options of its own.

    Without a command, its help goes to standard error, and the exit code is 2.
    """
    app = _typer(Group)
    app.callback(help=about, invoke_without_command=True)(root or require_command)
    group = typer.main.get_group(app)
    assert isinstance(group, Group)
    group.name = name
    group.section = section
    group.commands = LazyCommands(table)  # type: ignore[assignment]  # typer only reads it
    return group


def named_command(words: Sequence[str], table: CommandTable) -> TyperCommand | TyperGroup:
    """Return the command of these words, which are in the table."""
    first, *others = words
    entry = table[first]
    if isinstance(entry, CommandGroup):
        if others:
            return named_command(others, entry.verbs)
        section = load_verb(next(iter(entry.verbs.values()))).section
        return command_group(first, entry.about, entry.verbs, section=section)
    return _command(first, load_verb(entry))


def require_command(context: typer.Context) -> None:
    """Do nothing if a command was named; otherwise write the help to standard error and exit with code 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def load_verb(module: str) -> Verb:
    """Return the verb that the module of a command defines."""
    verb = importlib.import_module(f"agent_sync.cli.commands.{module}").VERB
    assert isinstance(verb, Verb)
    return verb


def _command(name: str, verb: Verb) -> Command:
    app = _typer()
    examples = "\n".join(("\b", "Examples:", *(f"  {each}" for each in verb.examples)))
    app.command(name, cls=Command, epilog=examples)(_function(verb))
    command = typer.main.get_command(app)
    assert isinstance(command, Command)
    command.section = verb.section
    return command


def _typer(cls: type[TyperGroup] | None = None) -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return typer.Typer(
        cls=cls, add_completion=False, context_settings=settings, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _function(verb: Verb) -> Callable[..., int]:
    """Return the function that typer inspects and calls: the verb's own parameters, and the global options."""
    own = inspect.signature(verb.run, eval_str=True)
    parameters = [each for each in own.parameters.values() if each.name != "session"]
    context = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    def command(**values: Any) -> int:  # noqa: ANN401  # as many types as there are options
        invocation = values.pop(_CONTEXT).find_root().obj
        assert isinstance(invocation, Invocation)
        options, chosen = split_options(values)
        return run_verb(verb, options, chosen, invocation)

    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[
            *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters),
            *global_parameters(hidden=True),
            context,
        ]
    )
    command.__doc__ = verb.run.__doc__
    return command


def _help_record(parameter: inspect.Parameter) -> tuple[str, str]:
    (option,) = parameter.annotation.__metadata__
    flag = " ".join(filter(None, (flag_name(parameter.name), option.metavar)))
    return flag, option.help or ""
