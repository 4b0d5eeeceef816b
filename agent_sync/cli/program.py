"""The program: words of a command line in, an exit code out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from agent_sync._version import __version__
from agent_sync.cli.answer import Answer, Verb
from agent_sync.cli.binding import group, named_command, needs_command
from agent_sync.cli.exit_codes import DONE
from agent_sync.cli.interruption import interruptible
from agent_sync.cli.memory import Memory
from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.running import run_verb
from agent_sync.cli.screen import standard_streams
from agent_sync.cli.session import Session, Surroundings
from agent_sync.cli.words import Commands, Family, Words, words_in_order
from agent_sync.errors import UsageWrong

NAME = "agent-sync"
ABOUT = """Files for coding agents: declared once, pinned in a lock, verified, put where each tool reads them.

Sources are declared in agent-sync.yaml; `update` pins them in agent-sync.lock; `sync` writes the files that the lock
describes. Every command takes --config, --lockfile, --no-inherit, --offline, --json, --verbose, --quiet and --no-color,
in front of its name or behind it.
"""

# In the order of their use; the value is the command's module.
COMMANDS: Commands = {
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
    "bundle": Family(
        "Look at bundles, judge, sign and copy them, wherever they lie.",
        {"inspect": "bundle_inspect", "verify": "bundle_verify", "sign": "bundle_sign", "copy": "bundle_copy"},
    ),
    "keys": Family("Make keys that sign bundles.", {"generate": "keys_generate"}),
    "cache": Family(
        "Look after the store, which all projects of this user share.",
        {"list": "cache_list", "verify": "cache_verify", "gc": "cache_gc"},
    ),
    "nix": Family(
        "Give what the lock pins to Nix.", {"hash": "nix_hash", "import": "nix_import", "export": "nix_export"}
    ),
}


def main(arguments: Sequence[str]) -> NoReturn:
    """Ends the process that this is with the exit code of the command."""
    from agent_sync.ports.time import Cancellation

    cancellation = Cancellation()
    surroundings = Surroundings(standard_streams(), os.environ, cancellation, memory=Memory(arguments, os.environ))
    with interruptible(cancellation):
        code = run(arguments, surroundings)
    # Everything is told, closed and, if need be, undone. Python would take itself apart, which takes a tenth of a short
    # run, and before that would wait for threads that wait for a server.
    os._exit(code)


def run(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """The exit code of the command, which reads and writes nothing but what it is given."""
    words = words_in_order(arguments, COMMANDS)
    try:
        return _called(words, surroundings)
    except typer.TyperException as error:
        return _misused(error, words, surroundings)
    except SystemExit:
        return DONE  # so typer ends when the reader of its help has gone


def program() -> TyperGroup:
    """The command that holds every other."""
    return group(NAME, ABOUT, COMMANDS, root=_root)


def _called(words: Words, surroundings: Surroundings) -> int:
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


def _misused(error: typer.TyperException, words: Words, surroundings: Surroundings) -> int:
    """A command line that cannot be parsed is told like every other error."""
    command = " ".join((NAME, *words.command))
    flags = itertools.takewhile(lambda word: word != "--", (*words.flags, *words.rest))
    said = {"--json", "--no-color"}.intersection(flags)
    options = GlobalOptions(json="--json" in said, no_color="--no-color" in said)
    wrong = UsageWrong(subject=command, check=error.format_message(), remedy=f"see {command} --help")

    def refuse(_: Session) -> Answer:
        raise wrong

    return run_verb(Verb(" ".join(words.command), refuse, {}), options, {}, surroundings)
