"""docs/reference/command-line.md, written from the program: its commands, their options, their documents."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent_sync.cli.documents import ENVELOPE, ON_FAILURE
from agent_sync.cli.options import global_parameters
from agent_sync.cli.parser import CommandGroup, CommandTable, load_verb, named_command
from agent_sync.cli.program import COMMANDS, NAME
from agent_sync.cli.run import DONE, FOUND, Verb
from tests.reference.errors import families, meaning_of

PATH = "docs/reference/command-line.md"

_INTRODUCTION = """\
# The command line

*Written by `python -m tests.generated` from the program itself.*

Results go to standard output, messages (warnings, errors, progress, questions) to standard error. `agent-sync COMMAND
--help` says the same as this page. Whatever comes from a file, a server or a name is shown with control characters and
invisible ones as `\\xNN` or `\\uNNNN`, on a terminal and in a pipe: no text can act on a terminal. Colours, and
progress that moves, appear on a terminal only, and not with `--no-color`, `NO_COLOR=1` or `TERM=dumb`.

A question is asked on a terminal only. Where nobody can be asked (no terminal, `--json`, `--quiet`), `update` ends with
exit code 2 and writes nothing, unless `--yes` answers before.

SIGINT (Ctrl-C), SIGTERM and SIGHUP mean the same: the command stops, undoes what it had begun, and ends with code 130.
"""

_DOCUMENTS = """\
With `--json` standard output has one document, also when the command fails, and also with `--quiet`. Its shape is fixed
by `schema_version`; programs should pass over fields that they do not know. Paths are relative to the project's
directory unless they are absolute. Each command's own fields are in its section; every document has these:
"""

_QUIET = """\
`--quiet` leaves errors: neither results nor warnings are written, and the exit code tells the rest. `--verbose` adds
each file and source, what custom commands print, and the traceback of a fault of ours. They exclude each other.
"""

_VARIABLES = {
    "AGENT_SYNC_SYSTEM_CONFIG": "the system's configuration, in place of `/etc/agent-sync/agent-sync.yaml`",
    "AGENT_SYNC_USER_CONFIG": "the user's configuration, in place of the one in the user's configuration directory",
    "AGENT_SYNC_NO_INHERIT": "`1` or `true`: `--no-inherit`; recommended in CI",
    "AGENT_SYNC_POLICY": "the machine's policy, in place of `/etc/agent-sync/policy.yaml`",
    "AGENT_SYNC_CACHE": "the directory of the store",
    "AGENT_SYNC_OFFLINE": "`1` or `true`: `--offline`",
    "AGENT_SYNC_SOURCES": "a JSON object, source name to directory: `sync` takes these trees, if they are as locked",
    "NIX_STORE_DIR": "where the Nix store lies that `nix import` and `nix export` are for",
    "NO_COLOR": "not empty: `--no-color`",
}


def command_line() -> Mapping[str, str]:
    """The page, by its path."""
    return {PATH: "\n".join(_page())}


def _exit_codes() -> Iterator[tuple[int, str]]:
    yield DONE, "Done, or clean."
    yield FOUND, "`check`, `verify` or `diff` found drift or newer versions, or an update was declined."
    yield from ((family.exit_code, meaning_of(family)) for family in families())


def _page() -> Iterator[str]:
    verbs = list(_verbs(COMMANDS))
    yield _INTRODUCTION
    yield from ("| command | |", "|---|---|")
    yield from (f"| [`{NAME} {verb.name}`](#{_anchor(verb)}) | {_summary(verb)} |" for verb in verbs)
    yield "\n## Options of every command\n\nThey may stand in front of the command's name or behind it.\n"
    yield from _table("option", ((_option(each.name, each.annotation), _help(each)) for each in global_parameters()))
    yield f"\n{_QUIET}"
    yield from ("## Environment\n", *_table("variable", ((f"`{name}`", text) for name, text in _VARIABLES.items())))
    yield from ("\n## Exit codes\n", *_table("code", ((str(code), meaning) for code, meaning in _exit_codes())))
    yield "\n[errors.md](errors.md) has the code of each error.\n\n## Documents\n"
    yield _DOCUMENTS
    yield from _table("field", ((f"`{name}`", text) for name, text in ENVELOPE.items()))
    yield from ("\nand where something failed:\n", *_table("field", _fields(ON_FAILURE)))
    for verb in verbs:
        yield from _section(verb)
    yield ""


def _verbs(table: CommandTable) -> Iterator[Verb]:
    for entry in table.values():
        if isinstance(entry, CommandGroup):
            yield from _verbs(entry.verbs)
        else:
            yield load_verb(entry)


def _section(verb: Verb) -> Iterator[str]:
    command: Any = named_command(verb.name.split(), COMMANDS)  # typer has no public name for what it holds
    shared = {each.name for each in global_parameters()}
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name not in shared]
    usage = [_argument(each) for each in arguments]
    yield f"\n## {NAME} {verb.name}\n"
    yield f"```\n{' '.join((NAME, verb.name, *(['[OPTIONS]'] if options else []), *usage))}\n```\n"
    yield inspect.getdoc(verb.run) or ""
    rows = [(f"`{_argument(each)}`", _text(each.help)) for each in arguments]
    rows += [(_flags(each), _text(each.help)) for each in options]
    if rows:
        yield from ("", *_table("option", rows))
    yield from ("\nIts document has:\n", *_table("field", _fields(verb.fields)))
    yield "\n```sh\n" + "\n".join(verb.examples) + "\n```"


def _table(head: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {head} | |", "|---|---|")
    yield from (f"| {first} | {second} |" for first, second in rows)


def _fields(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", text) for name, text in fields.items())


def _anchor(verb: Verb) -> str:
    return f"{NAME}-{verb.name}".replace(" ", "-")


def _summary(verb: Verb) -> str:
    return (inspect.getdoc(verb.run) or "").partition("\n")[0]


def _argument(argument: Any) -> str:  # noqa: ANN401  # typer has no public name for it
    return str(argument.metavar) if argument.required else f"[{argument.metavar}]..."


def _flags(option: Any) -> str:  # noqa: ANN401
    value = "" if option.is_flag else f" {option.metavar}"
    return ", ".join(f"`{flag}{value}`" for flag in option.opts)


def _option(name: str, annotation: Any) -> str:  # noqa: ANN401
    (option,) = annotation.__metadata__
    value = "" if option.metavar is None else f" {option.metavar}"
    return f"`--{name.replace('_', '-')}{value}`"


def _help(parameter: inspect.Parameter) -> str:
    (option,) = parameter.annotation.__metadata__
    return _text(option.help)


def _text(text: str) -> str:
    return " ".join(text.split()).replace("[default: ", "(default: ").replace("]", ")")
