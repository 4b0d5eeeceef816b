"""Every command in a run that succeeds: its document is valid, and its text has whole digests only to be copied.

`nix import` needs Nix: see tests/nix/test_source_type.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_sync.cli.program import COMMANDS
from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.result_documents import documented_fields, verb_of
from tests.builders.screens import inside

# In the order of a first day; a command that is not here fails the test.
_LINES = (
    "init", "update --yes", "sync", "check", "status", "diff", "verify", "migrate", "info", "recover", "prune",
    "keys generate --output release", "push oci:bundle --name acme/agents --sign --key release.key",
    "bundle inspect oci:bundle", "bundle verify oci:bundle --name acme/agents --key release.pub",
    "bundle sign oci:bundle --name acme/agents --key release.key", "bundle copy oci:bundle oci-archive:bundle.tar",
    "pull oci:bundle --name acme/agents", "cache list", "cache verify", "cache gc", "nix hash agents",
    "nix export nix-cache",
)  # fmt: skip
_TO_BE_COPIED = {"push", "bundle copy", "bundle inspect"}  # their text has the digest of the bundle, in full
_OF_FILES_ONLY = {"signer", "states", "logged"}  # what `bundle verify --signature` says of a file


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    machine = a_machine(tmp_path)
    machine.variables["AGENT_SYNC_KEY_PASSWORD"] = "correct horse"
    return machine


def test_the_document_of_every_command_is_valid_and_has_every_field(machine: CommandMachine) -> None:
    seen = {_command_of(machine, line) for line in _LINES}
    machine.put(".claude/rules.md", "mine\n")
    seen |= {_command_of(machine, line) for line in ("sync", "restore .claude/rules.md")}
    assert seen == {verb.name for verb in COMMANDS.verbs()} - {"nix import"}


def test_text_has_twelve_digits_of_a_digest_unless_it_is_to_be_copied(machine: CommandMachine) -> None:
    """language rule 5."""
    whole = {line: _digests(machine, f"{line} --verbose") for line in _LINES}
    assert {line for line, digests in whole.items() if digests} == {
        line for line in _LINES if any(line.startswith(command) for command in _TO_BE_COPIED)
    }
    assert {digest for digests in whole.values() for digest in digests} == {_bundle_digest(machine)}


def _command_of(machine: CommandMachine, line: str) -> str:
    told = inside(machine).run(*line.split(), "--json")
    assert (told.code, told.err) == (0, ""), line
    command = str(told.document["command"])
    assert line.startswith(verb_of(command).name)
    missing = documented_fields(command) - told.document.keys()
    assert missing == (_OF_FILES_ONLY if command == "bundle verify" else set())
    return command


def _digests(machine: CommandMachine, line: str) -> list[str]:
    """Return every digest in the text of a command of which more than twelve digits are shown."""
    told = inside(machine).run(*line.split())
    assert told.code == 0, told
    return re.findall(r"sha256:[0-9a-f]{13,}", told.out + told.err)


def _bundle_digest(machine: CommandMachine) -> str:
    return str(inside(machine).run("bundle", "inspect", "oci:bundle", "--json").document["digest"])
