"""The typer parser: argv -> the command it names, each loaded when it is first asked for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from agent_sync.cli.options import global_parameters, leading_flags, split_options
from agent_sync.cli.run import Invocation, Verb, run_verb

# -- The words of a command line, sorted: which name the command, and which flags stand in front of it.


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Commands of two words; `verbs` are modules by their second word."""

    about: str
    verbs: Mapping[str, str]


CommandTable = Mapping[str, str] | Mapping[str, str | CommandGroup]


@dataclass(frozen=True, slots=True)
class SplitArgv:
    """A command line in order: the command, the global flags that stood before it or between its words, the rest."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    rest: tuple[str, ...]
    complete: bool

    @property
    def to_parse(self) -> list[str]:
        """What the command reads, with its flags in it; without a whole command, what tells that it is missing."""
        return [*self.flags, *self.rest] if self.complete else list(self.rest)


def split_argv(arguments: Sequence[str], commands: CommandTable) -> SplitArgv:
    """The arguments, sorted. `commands` holds a module for each command, or a family of them."""
    command: list[str] = []
    flags: list[str] = []
    rest = list(arguments)
    entry: CommandTable | str = commands
    while not isinstance(entry, str):
        leading = leading_flags(rest)
        flags, rest = flags + leading, rest[len(leading) :]
        found = entry.get(rest[0]) if rest else None
        if found is None:
            return SplitArgv(tuple(command), tuple(flags), tuple(rest), complete=False)
        command.append(rest.pop(0))
        entry = found.verbs if isinstance(found, CommandGroup) else found
    return SplitArgv(tuple(command), tuple(flags), tuple(rest), complete=True)


# -- Verbs -> the commands that typer parses for, each loaded when it is first asked for.

_CONTEXT = "context"


class Command(TyperCommand):
    """A command whose help names its arguments as people do, without braces and Python types."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  # typer has no public name for the type
        """What stands behind the command in the line that shows its usage."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        return [
            "[OPTIONS]",
            *(each.display_name_raw if each.required else f"[{each.display_name_raw}]..." for each in arguments),
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # typer has no public name for it
        """The help says what each argument and each option means."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        options = [each for each in self.get_params(ctx) if not isinstance(each, TyperArgument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(each.display_name_raw, each.help or "") for each in arguments])
        with formatter.section("Options"):
            formatter.write_dl([record for each in options if (record := each.get_help_record(ctx)) is not None])


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


def group(name: str, about: str, table: CommandTable, *, root: Callable[..., None] | None = None) -> TyperGroup:
    """A command that is followed by one of `table`; `root` is a function with options of its own.

    Alone it writes its help to standard error, and that is wrong usage.
    """
    app = _typer()
    app.callback(help=about, invoke_without_command=True)(root or needs_command)
    made = typer.main.get_group(app)
    made.name = name
    made.commands = LazyCommands(table)  # type: ignore[assignment]  # typer only reads it
    return made


def named_command(words: Sequence[str], table: CommandTable) -> TyperCommand | TyperGroup:
    """The command of these words, which are in the table."""
    first, *others = words
    entry = table[first]
    if isinstance(entry, CommandGroup) and others:
        return named_command(others, entry.verbs)
    return _command(first, entry)


def needs_command(context: typer.Context) -> None:
    """Nothing, if a command was named. Otherwise the help is on standard error, and the exit code 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def load_verb(module: str) -> Verb:
    """The verb that the module of a command defines."""
    verb = importlib.import_module(f"agent_sync.cli.commands.{module}").VERB
    assert isinstance(verb, Verb)
    return verb


def _command(name: str, entry: str | CommandGroup) -> TyperCommand | TyperGroup:
    if isinstance(entry, CommandGroup):
        return group(name, entry.about, entry.verbs)
    verb = load_verb(entry)
    app = _typer()
    examples = "\n".join(("\b", "Examples:", *(f"  {each}" for each in verb.examples)))
    app.command(name, cls=Command, epilog=examples)(_function(verb))
    made = typer.main.get_command(app)
    assert isinstance(made, Command)
    return made


def _typer() -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return typer.Typer(
        add_completion=False, context_settings=settings, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _function(verb: Verb) -> Callable[..., int]:
    """The function that typer inspects and calls: the verb's own parameters, and the flags that every command takes."""
    own = inspect.signature(verb.run, eval_str=True)
    parameters = [each for each in own.parameters.values() if each.name != "session"]
    context = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    def command(**values: Any) -> int:  # noqa: ANN401  # as many types as there are options
        surroundings = values.pop(_CONTEXT).find_root().obj
        assert isinstance(surroundings, Invocation)
        options, chosen = split_options(values)
        return run_verb(verb, options, chosen, surroundings)

    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[
            *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters),
            *global_parameters(),
            context,
        ]
    )
    command.__doc__ = verb.run.__doc__
    return command
