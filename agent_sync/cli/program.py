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
from typer.core import TyperGroup

from agent_sync._version import __version__
from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.parser import CommandGroup, CommandTable, SplitArgv, group, named_command, needs_command, split_argv
from agent_sync.cli.run import DONE, Answer, Invocation, Receipts, Session, Verb, run_verb
from agent_sync.cli.screen import standard_streams
from agent_sync.errors import UsageError

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation


# -- The wish of a user, a terminal or a system that the program stop.

_MEANING_STOP = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Within, each of the signals cancels and raises KeyboardInterrupt; one that the caller ignores stays ignored.

    A second one raises it again: what undoes a run that was cut short begins anew then, and loses nothing.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if not stopping:  # cancelling takes a lock, which the handler that this one interrupts may hold
            stopping = True
            cancellation.cancel()
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for name in _MEANING_STOP if (number := getattr(signal, name, None))}
    usual = {number for number, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, before[number])


# -- The program: words of a command line in, an exit code out.

NAME = "agent-sync"
ABOUT = """Files for coding agents: declared once, pinned in a lock, verified, put where each tool reads them.

Sources are declared in agent-sync.yaml; `update` pins them in agent-sync.lock; `sync` writes the files that the lock
describes. Every command takes --config, --lockfile, --no-inherit, --offline, --json, --verbose, --quiet and --no-color,
in front of its name or behind it.
"""

# In the order of their use; the value is the command's module.
COMMANDS: CommandTable = {
    "init": "init",
    "update": "update",
    "sync": "sync",
    "check": "check",
    "status": "status",
    "diff": "diff",
    "verify": "verify",
    "prune": "prune",
    "restore": "restore",
    "recover": "recover",
    "migrate": "migrate",
    "info": "info",
    "push": "push",
    "pull": "pull",
    "bundle": CommandGroup(
        "Look at bundles, judge, sign and copy them, wherever they lie.",
        {"inspect": "bundle_inspect", "verify": "bundle_verify", "sign": "bundle_sign", "copy": "bundle_copy"},
    ),
    "keys": CommandGroup("Make keys that sign bundles.", {"generate": "keys_generate"}),
    "cache": CommandGroup(
        "Look after the store, which all projects of this user share.",
        {"list": "cache_list", "verify": "cache_verify", "gc": "cache_gc"},
    ),
    "nix": CommandGroup(
        "Give what the lock pins to Nix.", {"hash": "nix_hash", "import": "nix_import", "export": "nix_export"}
    ),
}


def main(arguments: Sequence[str]) -> NoReturn:
    """Ends the process that this is with the exit code of the command."""
    from agent_sync.ports.machine import Cancellation

    cancellation = Cancellation()
    surroundings = Invocation(standard_streams(), os.environ, cancellation, memory=Receipts(arguments, os.environ))
    with interruptible(cancellation):
        code = run(arguments, surroundings)
    # Everything is told, closed and, if need be, undone. Python would take itself apart, which takes a tenth of a short
    # run, and before that would wait for threads that wait for a server.
    os._exit(code)


def run(arguments: Sequence[str], surroundings: Invocation) -> int:
    """The exit code of the command, which reads and writes nothing but what it is given."""
    words = split_argv(arguments, COMMANDS)
    try:
        return _dispatch(words, surroundings)
    except typer.TyperException as error:
        return _report_usage_error(error, words, surroundings)
    except SystemExit:
        return DONE  # so typer ends when the reader of its help has gone


def program() -> TyperGroup:
    """The command that holds every other."""
    return group(NAME, ABOUT, COMMANDS, root=_root)


def _dispatch(words: SplitArgv, surroundings: Invocation) -> int:
    """The exit code of the command, or of the family of commands, called by its name at once if it has one.

    On the way through the program typer would load pydantic, for the program's own flags, and `--help` would take twice
    as long.
    """
    command = named_command(words.command, COMMANDS) if words.command else program()
    name = " ".join((NAME, *words.command))
    code = command.main(words.to_parse, prog_name=name, standalone_mode=False, obj=surroundings)
    return code if isinstance(code, int) else DONE


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Write the version.")] = False,
) -> None:
    if version:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit(0)
    needs_command(context)


def _report_usage_error(error: typer.TyperException, words: SplitArgv, surroundings: Invocation) -> int:
    """A command line that cannot be parsed is told like every other error."""
    command = " ".join((NAME, *words.command))
    flags = itertools.takewhile(lambda word: word != "--", (*words.flags, *words.rest))
    said = {"--json", "--no-color"}.intersection(flags)
    options = GlobalOptions(json="--json" in said, no_color="--no-color" in said)
    wrong = UsageError(subject=command, check=error.format_message(), remedy=f"see {command} --help")

    def refuse(_: Session) -> Answer:
        raise wrong

    return run_verb(Verb(" ".join(words.command), refuse, {}), options, {}, surroundings)
