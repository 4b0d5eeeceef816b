"""Every error that concerns a declaration has the file, line and column of what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.repositories import a_git_repository
from tests.real.answers import a_file, a_status
from tests.real.http_server import Answer, serve

SOURCE = "version: 1\nsources:\n  - name: rules\n"
TARGETS = "targets:\n  - source: rules\n    destination: .rules\n"
WRONG = "sha256:" + "0" * 64

# What is declared after line 3, and the line and the word that the error points at. `@` is the path of a repository.
DECLARATIONS = {
    "unknown ref": ("    type: git\n    repo: @\n    ref: nope\n", "ref: nope", "nope"),
    "wrong repository": ("    type: git\n    repo: @/nowhere\n    ref: main\n", "repo: @/nowhere", "@"),
    "missing path": (
        "    type: git\n    repo: @\n    ref: main\n    paths:\n      - a.md\n      - none/\n",
        "- none/",
        "none/",
    ),
    "unsigned": (
        "    type: git\n    repo: @\n    ref: main\n    signed: commit\n    keyring: k.gpg\n",
        "ref: main",
        "main",
    ),
    "no such directory": ("    type: local\n    path: ./missing/\n", "path:", "./missing/"),
    "limit": (
        "    type: local\n    path: ./here/\n    limits:\n      max_file_size: 1\n",
        "max_file_size:",
        "1",
    ),
    "unreachable url": (
        f"    type: url\n    url: http://127.0.0.1:9/a.md\n    checksum: {WRONG}\n",
        "url: http",
        "http",
    ),
    "unreachable registry": (
        "    type: oci\n    reference: 127.0.0.1:9/team/rules:v1\n",
        "reference:",
        "127.0.0.1",
    ),
}
NOT_VERIFIED = {"no such directory", "missing path", "unsigned"}  # what verify does not look at
WARNINGS = {
    "unknown-key": ("    type: local\n    path: ./here/\n    colour: red\n", "colour"),
    "unused-source": ("    type: local\n    path: ./here/\n  - {name: spare, type: local, path: ./here/}\n", "spare"),
}


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    a_git_repository(tmp_path / "upstream", {"a.md": "a\n"})
    return a_machine(tmp_path, {"here/a.md": "a\n", "k.gpg": "no keyring\n"})


def config_of(declaration: str, tmp_path: Path) -> str:
    return SOURCE + declaration.replace("@", str(tmp_path / "upstream")) + TARGETS


def pointed_at(place: dict[str, Any], config: str) -> tuple[str, str]:
    """The line of the configuration that the place names, and its text from the column on."""
    assert place["file"] == "agent-sync.yaml"
    line = config.split("\n")[place["line"] - 1]
    return line, line[place["column"] - 1 :]


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        *(("update", kind) for kind in DECLARATIONS),
        *(("verify", kind) for kind in sorted(DECLARATIONS.keys() - NOT_VERIFIED)),
    ],
)
def test_an_error_of_a_source_points_at_its_declaration(
    tmp_path: Path, machine: CommandMachine, kind: str, command: str
) -> None:
    declaration, line, word = (each.replace("@", str(tmp_path / "upstream")) for each in DECLARATIONS[kind])
    if command == "verify":
        machine.configure(config_of("    type: local\n    path: ./here/\n", tmp_path))
        machine.run("update", "--yes")
    config = config_of(declaration, tmp_path)
    machine.configure(config)
    answer = json.loads(machine.run(command, "--json", *(["--yes"] if command == "update" else []), expect=None).out)
    failures = answer["failures"]
    found, rest = pointed_at(failures[0]["place"], config)
    assert line in found
    assert rest.startswith(word)
    assert answer["error"]["place"] is None or answer["error"]["place"] == failures[0]["place"]


@pytest.mark.parametrize(
    ("answer", "line", "word"),
    [(a_status(404), "url: http", "http"), (a_file(b"another\n"), "checksum:", "sha256:")],
    ids=["404", "checksum"],
)
def test_an_error_of_a_server_points_at_the_declaration_that_it_contradicts(
    tmp_path: Path, machine: CommandMachine, answer: Answer, line: str, word: str
) -> None:
    with serve(answer) as server:
        config = config_of(f"    type: url\n    url: {server.url}/a.md\n    checksum: {WRONG}\n", tmp_path)
        machine.configure(config)
        told = json.loads(machine.run("update", "--yes", "--json", expect=None).out)
    found, rest = pointed_at(told["failures"][0]["place"], config)
    assert line in found
    assert rest.startswith(word)


@pytest.mark.parametrize(
    ("section", "line", "word"),
    [
        ("overrides:\n  - {target: none.md, strategy: append, file: here/a.md}\n", "target: none.md", "none.md"),
        ("transforms:\n  - {source: rules, type: custom, command: ./missing.sh}\n", "command:", "./missing.sh"),
        ("transforms:\n  - {source: rules, type: custom, command: 'false'}\n", "command:", "'false'"),
        ("transforms:\n  - {source: rules, type: template, vars: {a: '{{ .b }}'}}\n", "vars:", "'{{ .b }}'"),
    ],
    ids=["override target", "missing command", "failing command", "template"],
)
def test_an_error_of_a_transform_or_override_points_at_it(
    tmp_path: Path, machine: CommandMachine, section: str, line: str, word: str
) -> None:
    config = config_of("    type: local\n    path: ./here/\n", tmp_path) + section
    machine.configure(config)
    answer = json.loads(machine.run("update", "--yes", "--json", expect=None).out)
    found, rest = pointed_at(answer["error"]["place"], config)
    assert line in found
    assert rest.startswith(word)


@pytest.mark.parametrize("rule", WARNINGS)
def test_a_warning_about_a_declaration_points_at_it(tmp_path: Path, machine: CommandMachine, rule: str) -> None:
    declaration, word = WARNINGS[rule]
    config = config_of(declaration, tmp_path)
    machine.configure(config)
    answer = json.loads(machine.run("update", "--yes", "--json").out)
    (place,) = [each["place"] for each in answer["warnings"] if each["rule"] == rule]
    assert pointed_at(place, config)[1].startswith(word)
    text = machine.run("update", "--yes").err
    assert f" --> agent-sync.yaml:{place['line']}:{place['column']}\n" in text


def test_a_secret_in_the_line_is_not_shown(tmp_path: Path, machine: CommandMachine) -> None:
    machine.configure(
        config_of(f"    type: url\n    url: http://127.0.0.1:9/a?token=hunter2\n    checksum: {WRONG}\n", tmp_path)
    )
    ran = machine.run("update", "--yes", expect=None)
    assert "agent-sync.yaml:5:10" in ran.err
    assert "hunter2" not in ran.said
