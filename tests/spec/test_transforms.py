"""Spec §2.3, §6, §11: templates, overrides, custom commands, determinism (R001, R033 - R046, R104, X25)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine

TEMPLATE = "variables: {project: harbour}\ntransforms:\n  - {source: rules, type: template}\n"
APPEND = "overrides:\n  - {target: a.md, strategy: append, file: ext/e.md}\n"


def with_command(tmp_path: Path, script: str, *, more: str = "", **rules: str) -> CommandMachine:
    """A machine whose source goes through the shell script `scripts/change.sh`."""
    config = f"transforms:\n  - source: rules\n    type: custom\n    command: ./scripts/change.sh\n{more}"
    machine = a_local_machine(tmp_path, config, **rules)
    machine.put("scripts/change.sh", f"#!/bin/sh\nset -e\n{script}\n", executable=True)
    return machine


def test_r001_r104_the_same_input_gives_the_same_bytes_whatever_the_environment(tmp_path: Path) -> None:
    config = TEMPLATE + "  - {source: rules, type: custom, command: ./scripts/sort.sh}\n" + APPEND
    machine = a_local_machine(tmp_path, config, a_md="{{ .project }}\n", b_md="b\n")
    machine.put(
        "scripts/sort.sh",
        '#!/bin/sh\ncp -r . "$AGENT_SYNC_OUTPUT"\nls | sort > "$AGENT_SYNC_OUTPUT/list.md"\n',
        executable=True,
    )
    machine.put("ext/e.md", "e\n")
    machine.lock_and_sync()
    for number, environment in enumerate(
        [
            {"TZ": "Asia/Tokyo", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"},
            {"TZ": "UTC", "LANG": "C", "PYTHONHASHSEED": "7"},
        ]
    ):
        other = machine.another(f"other-{number}")
        other.run("sync", environment=environment)
        assert other.outputs() == machine.outputs()
        os.unlink(other.project / "agent-sync.lock")
        other.run("update", "--yes", environment=environment)
        assert other.lock_bytes == machine.lock_bytes


def test_r033_variables_are_substituted_as_go_text_template_does(tmp_path: Path) -> None:
    machine = a_local_machine(
        tmp_path, TEMPLATE, a_md='{{ .project | printf "%q" }}{{ if eq .project "harbour" }}!{{ end }}\n'
    )
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": '"harbour"!\n'}


def test_r033_vars_are_rendered_once_against_the_variables(tmp_path: Path) -> None:
    config = TEMPLATE.replace("type: template}", "type: template, vars: {name: '{{ .project }}-x'}}")
    machine = a_local_machine(tmp_path, config, a_md="{{ .name }}\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "harbour-x\n"}


@pytest.mark.parametrize("call", ['readFile "/etc/passwd"', 'env "HOME"', 'exec "id"', 'include "x"', "call .project"])
def test_r034_a_template_has_no_function_that_reaches_out(tmp_path: Path, call: str) -> None:
    machine = a_local_machine(tmp_path, TEMPLATE, a_md=f"first\n{{{{ {call} }}}}\n")
    ran = machine.run("update", "--yes", expect=11)
    assert "a.md" in ran.err
    assert "2" in ran.err
    assert not machine.exists("agent-sync.lock")


def test_r035_templates_can_be_switched_off(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, TEMPLATE + "security: {templates: off}\n", a_md="{{ .project }}\n")
    ran = machine.run("update", "--yes", expect=6)
    assert "template" in ran.err


@pytest.mark.parametrize(("strategy", "expected"), [("append", "a\ne\n"), ("prepend", "e\na\n"), ("replace", "e\n")])
def test_r036_the_three_strategies(tmp_path: Path, strategy: str, expected: str) -> None:
    machine = a_local_machine(tmp_path, APPEND.replace("append", strategy))
    machine.put("ext/e.md", "e\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": expected}


def test_r037_an_override_sees_what_the_transform_made(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, TEMPLATE + APPEND, a_md="{{ .project }}")
    machine.put("ext/e.md", "{{ .project }}\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "harbour\n{{ .project }}\n"}


def test_r038_an_override_names_the_file_at_its_destination(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, APPEND)
    machine.put("rules/deep/a.md", "deep\n")
    machine.put("ext/e.md", "e\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "a\ne\n", ".cursor/rules/deep/a.md": "deep\ne\n"}
    machine.configure(machine.read("agent-sync.yaml").replace("target: a.md", "target: rules/deep/a.md"))
    machine.run("update", "--yes", expect=11)


def test_r039_an_override_of_nothing_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, APPEND.replace("a.md", "none.md"))
    machine.put("ext/e.md", "e\n")
    ran = machine.run("update", "--yes", expect=11)
    assert "none.md" in ran.err
    assert not machine.exists("agent-sync.lock")
    assert machine.outputs() == {}


def test_r040_the_file_of_an_override_is_relative_to_the_project_root(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, APPEND)
    machine.put("ext/e.md", "e\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = str(machine.project / "agent-sync.yaml")
    machine.run("update", "--yes", "--config", config, where=elsewhere)
    machine.run("sync", "--config", config, where=elsewhere)
    assert machine.outputs() == {".cursor/rules/a.md": "a\ne\n"}


def test_r041_a_missing_override_file_fails_every_command_that_reads_the_configuration(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, APPEND)
    machine.put("ext/e.md", "e\n")
    machine.lock_and_sync()
    os.unlink(machine.project / "ext/e.md")
    for words in (["check"], ["update", "--yes"], ["sync"], ["status"]):
        assert "ext/e.md" in machine.run(*words, expect=3).err


def test_r042_an_output_hash_is_verified(tmp_path: Path) -> None:
    machine = with_command(tmp_path, 'cp a.md "$AGENT_SYNC_OUTPUT/b.md"')
    machine.run("update", "--yes")
    wrong = with_hash(machine, "sha256:" + "0" * 64)
    ran = wrong.run("update", "--yes", expect=5)
    actual = next(word.rstrip(",") for word in ran.err.split() if word.startswith("sha256:") and "0" * 64 not in word)
    with_hash(machine, actual).lock_and_sync()
    assert machine.outputs() == {".cursor/rules/b.md": "a\n"}


def with_hash(machine: CommandMachine, digest: str) -> CommandMachine:
    plain = [line for line in machine.read("agent-sync.yaml").splitlines() if "output_hash" not in line]
    machine.configure("\n".join([*plain, f"    output_hash: {digest}"]) + "\n")
    return machine


def test_r043_a_command_reaches_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        machine = with_command(tmp_path, f'python3 -c "{probe}"')
        ran = machine.run("update", "--yes", "--verbose", expect=11)
        assert "PermissionError" in ran.err or "Operation not permitted" in ran.err
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_r044_a_command_writes_nowhere_but_to_its_output(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    target = machine.put("precious.md", "precious\n")
    script = f'echo spoilt > "{target}" || echo refused > "$AGENT_SYNC_OUTPUT/r.md"'
    config = (
        machine.read("agent-sync.yaml") + "transforms:\n  - {source: rules, type: custom, command: ./scripts/x.sh}\n"
    )
    machine.configure(config)
    machine.put("scripts/x.sh", f"#!/bin/sh\n{script}\n", executable=True)
    machine.lock_and_sync()
    assert machine.read("precious.md") == "precious\n"
    assert machine.outputs() == {".cursor/rules/r.md": "refused\n"}


def test_r045_a_command_that_fails_fails_its_source(tmp_path: Path) -> None:
    machine = with_command(tmp_path, "echo no such luck >&2; exit 3")
    ran = machine.run("update", "--yes", expect=11)
    assert "rules" in ran.err
    assert "exited with 3" in ran.err
    assert "no such luck" in ran.err
    assert not machine.exists("agent-sync.lock")


def test_r045_what_a_command_printed_last_is_an_indented_block(tmp_path: Path) -> None:
    machine = with_command(tmp_path, "seq 20; printf 'error: no such luck\\n\\033[2Jcleared\\n' >&2; exit 3")
    ran = machine.run("update", "--yes", expect=11)
    block = [*(str(number) for number in range(13, 21)), "error: no such luck", r"\x1b[2Jcleared"]
    assert "exited with 3; last output:\n" + "".join(f"  {line}\n" for line in block) in ran.err


def test_r046_custom_transforms_work_and_can_be_switched_off_loudly(tmp_path: Path) -> None:
    machine = with_command(tmp_path, 'tr a-z A-Z < a.md > "$AGENT_SYNC_OUTPUT/a.md"')
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "A\n"}
    machine.configure(machine.read("agent-sync.yaml") + "security: {custom_transforms: off}\n")
    assert "custom" in machine.run("update", "--yes", expect=6).err


def test_x25_a_foreign_template_names_file_line_and_the_way_out(tmp_path: Path) -> None:
    foreign = "name: ci\nrun: echo ${{ github.sha }}\n"
    machine = a_local_machine(tmp_path, TEMPLATE, workflow_md=foreign)
    ran = machine.run("update", "--yes", expect=11)
    assert "workflow.md" in ran.err
    assert ":2" in ran.err
    assert "exclude" in ran.err
    machine.configure(
        machine.read("agent-sync.yaml").replace("type: template", "type: template, exclude: [workflow.md]")
    )
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/workflow.md": foreign}
