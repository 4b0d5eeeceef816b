"""The program: argv in, an exit code out."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from agent_sync._version import __version__
from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.parser import (
    Group,
    SplitArgv,
    command_group,
    command_table,
    named_command,
    require_command,
    split_argv,
)
from agent_sync.cli.run import DONE, Answer, Invocation, Receipts, Section, Session, Verb, run_verb
from agent_sync.cli.screen import standard_streams
from agent_sync.errors import UsageError

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation

NAME = "agent-sync"
ABOUT = """Sync rules, skills, and prompts for coding agents.

Declare sources in agent-sync.yaml. `agent-sync update` pins them in agent-sync.lock, and `agent-sync sync` writes the
locked files to the directories that your tools read.
"""
COMMANDS = command_table()

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command, and end this process with its exit code."""
    from agent_sync.ports.machine import Cancellation

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


def program() -> Group:
    """Return the command that holds every other."""
    return command_group(NAME, ABOUT, COMMANDS, section=Section.ALL, root=_root)


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
    command = named_command(argv.command, COMMANDS) if argv.command else program()
    name = " ".join((NAME, *argv.command))
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
    command = " ".join((NAME, *argv.command))
    # Nothing was parsed: whether the error is to be a document is read off the arguments themselves.
    flags = itertools.takewhile(lambda word: word != "--", (*argv.flags, *argv.rest))
    given = {"--json", "--no-color"}.intersection(flags)
    options = GlobalOptions(json="--json" in given, no_color="--no-color" in given)
    message = error.format_message().rstrip(".")
    wrong = UsageError(subject=command, check=f"{message[:1].lower()}{message[1:]}", remedy=f"see {command} --help")

    def refuse(_: Session) -> Answer:
        raise wrong

    return run_verb(Verb(" ".join(argv.command), refuse), options, {}, invocation)
