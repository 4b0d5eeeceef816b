"""The command line's reference page, and the JSON Schemas of its documents, written from the program."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from agent_sync.cli.options import global_parameters
from agent_sync.cli.program import COMMANDS, NAME, typer_command
from agent_sync.cli.run import DONE, FOUND, Section, Verb
from agent_sync.documents_out.document import Envelope, Failure, Field, document_schema_text, document_type, fields_of
from tests.reference.errors import families, meaning_of

PATH = "docs/reference/command-line.md"

_INTRODUCTION = """\
# The command line

*Written by `python -m tests.generated` from the program itself.*

Results go to standard output; messages (warnings, errors, progress, and questions) go to standard error.
`agent-sync COMMAND --help` shows the text of this page. Control characters and invisible characters in text from files,
servers, and names are shown as `\\xNN` or `\\uNNNN`, on a terminal and in a pipe, so that no text can control a
terminal. Colors and progress bars appear on a terminal only, and not with `--no-color`, `NO_COLOR=1`, or `TERM=dumb`.

Questions are asked on a terminal only. Without a terminal, and with `--json` or `--quiet`, `update` exits with code 2
and writes nothing unless `--yes` is given.

SIGINT (Ctrl-C), SIGTERM, and SIGHUP have the same effect: the command stops, undoes whatever it has begun, and exits
with code 130.
"""

_DOCUMENTS = """\
With `--json`, the command writes one JSON document to standard output, even if it fails, and even with `--quiet`. The
document of each command has a JSON Schema in [`schemas/documents/`](../../schemas/documents/). Programs should ignore
fields that they do not know. Paths are relative to the project's directory unless they are absolute. The section of
each command lists its fields; every document has these:
"""

_QUIET = """\
With `--quiet`, only errors are shown; the exit code tells the rest. `--verbose` also shows each file, each source, the
output of custom commands, and the traceback of an internal error. The two options are mutually exclusive.
"""

_VARIABLES = {
    "AGENT_SYNC_SYSTEM_CONFIG": "the system's configuration, instead of `/etc/agent-sync/agent-sync.yaml`",
    "AGENT_SYNC_USER_CONFIG": "the user's configuration, instead of the one in the user's configuration directory",
    "AGENT_SYNC_NO_INHERIT": "`1` or `true`: like `--no-inherit`; recommended in CI",
    "AGENT_SYNC_POLICY": "the machine's policy, instead of `/etc/agent-sync/policy.yaml`",
    "AGENT_SYNC_CACHE": "the directory of the cache, instead of the one in the user's cache directory",
    "AGENT_SYNC_OFFLINE": "`1` or `true`: like `--offline`",
    "AGENT_SYNC_SOURCES": "a JSON object, source name to directory: `sync` uses these trees if they match the lock",
    "NIX_STORE_DIR": "the Nix store of `nix import` and `nix export`",
    "NO_COLOR": "any value that is not empty: like `--no-color`",
}


def command_line() -> Mapping[str, str]:
    """Return the page, by its path."""
    return {PATH: "\n".join(_page())}


def document_schemas() -> Mapping[str, str]:
    """Return the JSON Schema of each command's document, by its path."""
    return {
        f"schemas/documents/{verb.name.replace(' ', '-')}.schema.json": document_schema_text(
            verb.name, verb.to_document
        )
        for verb in COMMANDS.verbs()
    }


def _exit_codes() -> Iterator[tuple[int, str]]:
    yield DONE, "The command succeeded; `check`, `diff`, and `verify` found no difference."
    yield FOUND, "`check`, `diff`, or `verify` found drift or newer versions, or you declined a new lock."
    yield from ((family.exit_code, meaning_of(family)) for family in families())


def _page() -> Iterator[str]:
    verbs = sorted(COMMANDS.verbs(), key=lambda verb: list(Section).index(verb.section))
    yield _INTRODUCTION
    for section, members in groupby(verbs, key=lambda verb: verb.section):
        yield from (f"| {section.value} | |", "|---|---|")
        yield from (f"| [`{NAME} {verb.name}`](#{_anchor(verb)}) | {_summary(verb)} |" for verb in members)
        yield ""
    yield "## Global options\n\nEvery command takes these options, before or after its name.\n"
    yield from _table("Option", ((_option(each.name, each.annotation), _help(each)) for each in global_parameters()))
    yield f"\n{_QUIET}"
    yield from ("## Environment\n", *_table("Variable", ((f"`{name}`", text) for name, text in _VARIABLES.items())))
    yield from ("\n## Exit codes\n", *_table("Code", ((str(code), meaning) for code, meaning in _exit_codes())))
    yield "\n[Errors and exit codes](errors.md) lists each error with its code.\n\n## Documents\n"
    yield _DOCUMENTS
    yield from _table("Field", _fields(Envelope))
    yield from ("\nThe document of a command that failed also has:\n", *_table("Field", _fields(Failure)))
    for verb in verbs:
        yield from _section(verb)
    yield ""


def _section(verb: Verb) -> Iterator[str]:
    command: Any = typer_command(verb)  # typer has no public name for what it holds
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
        yield from ("", *_table("Option", rows))
    yield from ("\nFields of the document:\n", *_table("Field", _fields(document_type(verb.to_document))))
    yield "\n```sh\n" + "\n".join(verb.examples) + "\n```"


def _table(head: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {head} | Meaning |", "|---|---|")
    yield from (f"| {_cell(first)} | {_cell(second)} |" for first, second in rows)


def _cell(text: str) -> str:
    """Return the text with `|` escaped, which would end the cell even in code."""
    return text.replace("|", r"\|")


def _fields(document: type[Any]) -> Iterator[tuple[str, str]]:
    return ((f"`{field.name}`", _described(field)) for field in fields_of(document))


def _described(field: Field) -> str:
    members = ", ".join(f"`{member.name}`" for member in field.members)
    return f"{field.description}: {members}" if members else field.description


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
    return re.sub(r"\[(default: [^\]]*)\]", r"(\1)", " ".join(text.split()))
