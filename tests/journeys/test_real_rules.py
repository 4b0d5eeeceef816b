"""The main job on real input: 817 Markdown files over smart HTTP, three tools, from one version to the next."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.builders.command_line import CommandMachine, a_machine
from tests.real.git_http import serve_git
from tests.real.real_rules import the_real_rules

CONFIG = """\
version: 1
variables:
  team: harbour
sources:
  - name: real-rules
    type: git
    repo: {url}
    ref: {ref}
  - name: house
    type: local
    path: ./house/
targets:
  - source: real-rules
    tools: [cursor, claude-code, copilot]
  - source: house
    tools: [cursor, claude-code, copilot]
transforms:
  - source: house
    type: template
overrides:
  - target: house.md
    strategy: append
    file: local/extension.md
"""


def test_the_journey_on_the_real_rules(tmp_path: Path) -> None:
    the_real_rules(tmp_path / "served" / "rules.git")
    with serve_git(tmp_path / "served") as server:
        url = server.url("rules.git")
        machine = a_machine(tmp_path, {"house/house.md": "# {{ .team }}\n", "local/extension.md": "- extended\n"})
        machine.configure(CONFIG.format(url=url, ref="v1.0.0"))
        machine.lock_and_sync()
        assert len(markdown(machine)) == 725 + 1
        machine.run("check", "--strict", "--deep")
        _edit_diff_sync_restore(machine)
        _move_to_the_next_version(machine, url)
    _a_second_checkout_offline(machine)


def markdown(machine: CommandMachine, tool: str = ".cursor/rules") -> list[str]:
    return [path for path in machine.tree() if path.startswith(f"{tool}/") and path.endswith(".md")]


def _edit_diff_sync_restore(machine: CommandMachine) -> None:
    edited = markdown(machine)[100]
    original = machine.read(edited)
    machine.put(edited, original + "\nmine\n")
    assert edited in machine.run("check", expect=1).said
    assert "-mine" in machine.run("diff", edited, expect=1).out
    machine.run("sync")
    assert machine.read(edited) == original
    machine.run("restore", edited)
    assert machine.read(edited) == original + "\nmine\n"
    machine.run("sync")
    machine.run("check", "--strict")


def _move_to_the_next_version(machine: CommandMachine, url: str) -> None:
    machine.configure(CONFIG.format(url=url, ref="v2.0.0"))
    machine.run("sync", expect=4)
    machine.run("update", "--yes")
    assert "pending" in machine.run("status", "real-rules").out
    machine.run("sync", "--prune")
    for tool in (".cursor/rules", ".claude", ".github/copilot"):
        assert len(markdown(machine, tool)) == 817 + 1
    machine.run("check", "--strict", "--deep")
    machine.run("verify")


def _a_second_checkout_offline(machine: CommandMachine) -> None:
    """The server is gone; the store came along, as a cache of CI would."""
    other = machine.another("ci")
    shutil.copytree(machine.home / ".cache", other.home / ".cache", symlinks=True)
    shutil.rmtree(other.project / "house")
    other.run("sync", "--offline", "--frozen")
    assert outputs(other) == outputs(machine)


def outputs(machine: CommandMachine) -> dict[str, tuple[str, bytes]]:
    return {path: each for path, each in machine.tree().items() if path.startswith((".cursor", ".claude", ".github"))}
