"""The program: argv in, an exit code out.

A module of `agent_sync.cli.commands` is imported only when its command is wanted.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from agent_sync._version import __version__
from agent_sync.cli.options import (
    GLOBAL_FLAGS,
    MODULES,
    GlobalOptions,
    flag_name,
    global_parameters,
    leading_flags,
    split_options,
)
from agent_sync.cli.run import DONE, Answer, Invocation, Receipts, Section, Session, Verb, VerbGroup, run_verb
from agent_sync.cli.screen import standard_streams
from agent_sync.errors import UsageError
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation


NAME = "agent-sync"
ABOUT = """Sync rules, skills, and prompts for coding agents.

Declare sources in agent-sync.yaml. `agent-sync update` pins them in the lock, and `agent-sync sync` writes the
locked files to the directories that your tools read.
"""

_CONTEXT = "context"
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Commands(Mapping[str, Verb | VerbGroup]):
    """Every command by its first word, in alphabetical order; a module is imported when its command is wanted."""

    def __getitem__(self, word: str) -> Verb | VerbGroup:
        if word not in MODULES:
            raise KeyError(word)
        verb = importlib.import_module(f"agent_sync.cli.commands.{word}").VERB
        assert isinstance(verb, Verb | VerbGroup)
        return verb

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)

    def verbs(self) -> Iterator[Verb]:
        """Yield every command, also those of groups, with its section of the main help."""
        for verb in self.values():
            members = verb.verbs if isinstance(verb, VerbGroup) else (verb,)
            yield from (replace(member, section=verb.section) for member in members)


COMMANDS = Commands()


@record
class SplitArgv:
    """argv in order: the command's words, the global flags before and between them, and the rest.

    `verb` is the command, the group of commands whose second word is missing or wrong, or None.
    """

    words: tuple[str, ...]
    flags: tuple[str, ...]
    rest: tuple[str, ...]
    verb: Verb | VerbGroup | None

    @property
    def to_parse(self) -> list[str]:
        """What the command parses, its flags included; for an incomplete command, what shows what is missing."""
        return [*self.flags, *self.rest] if isinstance(self.verb, Verb) else list(self.rest)


def split_argv(arguments: Sequence[str], commands: Mapping[str, Verb | VerbGroup]) -> SplitArgv:
    """Return the arguments in order, with the command that they name."""
    words: list[str] = []
    flags: list[str] = []
    rest = list(arguments)
    verb: Verb | VerbGroup | None = None
    while not isinstance(verb, Verb):
        leading = leading_flags(rest)
        flags, rest = flags + leading, rest[len(leading) :]
        choices = commands if verb is None else verb.by_word
        found = choices.get(rest[0]) if rest else None
        if found is None:
            break
        words.append(rest.pop(0))
        verb = found
    return SplitArgv(tuple(words), tuple(flags), tuple(rest), verb)


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


class LazyCommands(Mapping[str, Command | Group]):
    """The commands that typer parses for, each made when it is wanted."""

    def __init__(self, verbs: Mapping[str, Verb | VerbGroup] | Mapping[str, Verb]) -> None:
        self._verbs = verbs
        self._made: dict[str, Command | Group] = {}

    def __getitem__(self, word: str) -> Command | Group:
        if word not in self._made:
            self._made[word] = typer_command(self._verbs[word])
        return self._made[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._verbs)

    def __len__(self) -> int:
        return len(self._verbs)


def program() -> Group:
    """Return the command that holds every other."""
    return _group(NAME, ABOUT, COMMANDS, section=Section.ALL, root=_root)


def typer_command(verb: Verb | VerbGroup) -> Command | Group:
    """Return the command that typer parses for."""
    if isinstance(verb, VerbGroup):
        return _group(verb.name, verb.about, verb.by_word, section=verb.section)
    app = _typer()
    examples = "\n".join(("\b", "Examples:", *(f"  {each}" for each in verb.examples)))
    app.command(verb.name.rpartition(" ")[2], cls=Command, epilog=examples)(_function(verb))
    command = typer.main.get_command(app)
    assert isinstance(command, Command)
    command.section = verb.section
    return command


def require_command(context: typer.Context) -> None:
    """Do nothing if a command was named; otherwise write the help to standard error and exit with code 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _group(
    name: str,
    about: str,
    verbs: Mapping[str, Verb | VerbGroup] | Mapping[str, Verb],
    *,
    section: Section,
    root: Callable[..., None] | None = None,
) -> Group:
    """Return a command that is followed by one of `verbs`; `root` is a function with options of its own.

    Without a command, its help goes to standard error, and the exit code is 2.
    """
    app = _typer(Group)
    app.callback(help=about, invoke_without_command=True)(root or require_command)
    group = typer.main.get_group(app)
    assert isinstance(group, Group)
    group.name = name
    group.section = section
    group.commands = LazyCommands(verbs)  # type: ignore[assignment]  # typer only reads it
    return group


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


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command, and end this process with its exit code."""
    from agent_sync.ports.machine import Cancellation

    # pydantic would look for plugins, which takes 10 ms; no installed package may change what is valid.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    cancellation = Cancellation()
    receipts = Receipts(arguments, os.environ)
    invocation = Invocation(standard_streams(), os.environ, cancellation, receipts=receipts)
    with interruptible(cancellation):
        code = run(arguments, invocation)
    # Everything is written, closed, and undone if need be. Python's own shutdown takes a tenth of a short run, and
    # would first wait for threads that wait for a server.
    os._exit(code)


def run(arguments: Sequence[str], invocation: Invocation) -> int:
    """Return the exit code of the command, which reads and writes nothing but what `invocation` has."""
    argv = split_argv(arguments, COMMANDS)
    try:
        return _dispatch(argv, invocation)
    except typer.TyperException as error:
        return _report_usage_error(error, argv, invocation)
    except SystemExit:
        return DONE  # so typer ends when the reader of its help has gone


@contextmanager
def interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Cancel and raise KeyboardInterrupt when a stop signal arrives; a signal that the caller ignores stays ignored.

    A second signal raises it again: the recovery of an interrupted run then begins anew, and loses nothing.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if not stopping:  # cancelling takes a lock, which the code that this handler interrupts may hold
            stopping = True
            cancellation.cancel()
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for name in _STOP_SIGNALS if (number := getattr(signal, name, None))}
    usual = {number for number, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, before[number])


def _dispatch(argv: SplitArgv, invocation: Invocation) -> int:
    """Return the exit code of the command, or of the group of commands, called by its name at once if it has one.

    On the way through the program typer would load pydantic, for the program's own flags, and `--help` would take twice
    as long.
    """
    command = program() if argv.verb is None else typer_command(argv.verb)
    name = " ".join((NAME, *argv.words))
    code = command.main(argv.to_parse, prog_name=name, standalone_mode=False, obj=invocation)
    return code if isinstance(code, int) else DONE


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit(0)
    require_command(context)


def _report_usage_error(error: typer.TyperException, argv: SplitArgv, invocation: Invocation) -> int:
    """Report a command line that cannot be parsed like every other error; return the exit code."""
    command = " ".join((NAME, *argv.words))
    # Nothing was parsed: whether the error is to be a document is read off the arguments themselves.
    flags = itertools.takewhile(lambda word: word != "--", (*argv.flags, *argv.rest))
    given = {"--json", "--no-color"}.intersection(flags)
    options = GlobalOptions(json="--json" in given, no_color="--no-color" in given)
    message = error.format_message().rstrip(".")
    wrong = UsageError(subject=command, check=f"{message[:1].lower()}{message[1:]}", remedy=f"see {command} --help")

    def refuse(_: Session) -> Answer:
        raise wrong

    return run_verb(Verb(" ".join(argv.words), refuse), options, {}, invocation)
