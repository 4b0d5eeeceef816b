"""Spec §3.3, §14: layers of configuration, their merging, versions (R008 - R015, R111 - R116, X21)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, CommandMachine, a_local_machine

THREE_VALUES = "{{ .s }} {{ .u }} {{ .p }} {{ .both }} {{ .deep.low }} {{ .deep.high }}\n"


def with_layers(machine: CommandMachine, *, system: str | None = None, user: str | None = None) -> CommandMachine:
    """Layers where the variables of the specification say that they are."""
    for level, text in (("system", system), ("user", user)):
        if text is not None:
            path = machine.home / f"{level}.yaml"
            path.write_text(text)
            machine.variables[f"AGENT_SYNC_{level.upper()}_CONFIG"] = str(path)
    return machine


def test_r008_layers_are_found_where_the_specification_says_and_may_be_missing(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    user = machine.home / "xdg" / "agent-sync" / "agent-sync.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("version: 1\ntargets:\n  - {source: rules, tools: [cline]}\n")
    machine.run("sync", environment={"XDG_CONFIG_HOME": str(machine.home / "xdg")})
    assert set(machine.outputs()) == {".cursor/rules/a.md", ".cline/rules/a.md"}
    default = machine.home / ".config" / "agent-sync" / "agent-sync.yaml"
    default.parent.mkdir(parents=True)
    default.write_text("version: 1\ntargets:\n  - {source: rules, tools: [codex]}\n")
    machine.run("sync")
    assert ".codex/a.md" in machine.outputs()
    info = machine.run("info").out
    assert "/etc/agent-sync/agent-sync.yaml" in info


def test_r009_a_layer_of_another_version_is_fatal(tmp_path: Path) -> None:
    machine = with_layers(a_local_machine(tmp_path), system="version: 2\n")
    assert "version" in machine.run("update", "--yes", expect=3).err
    assert not machine.exists("agent-sync.lock")


def test_r010_variables_are_merged_deeply_and_the_higher_layer_wins(tmp_path: Path) -> None:
    config = (
        "variables: {p: project, both: project, deep: {high: H}}\ntransforms:\n  - {source: rules, type: template}\n"
    )
    machine = with_layers(
        a_local_machine(tmp_path, config, t_md=THREE_VALUES),
        system="version: 1\nvariables: {s: system, both: system, deep: {low: L, high: no}}\n",
        user="version: 1\nvariables: {u: user, both: user}\n",
    )
    machine.lock_and_sync()
    assert machine.outputs()[".cursor/rules/t.md"] == "system user project project L H\n"


def test_r011_sources_and_tools_are_replaced_as_a_whole_by_name(tmp_path: Path) -> None:
    system = """\
version: 1
sources:
  - {name: rules, type: url, url: "https://example.com/x.md", checksum: "sha256:%s"}
tool_definitions:
  - {name: mine, destination: .system/}
""" % ("0" * 64)
    machine = with_layers(a_local_machine(tmp_path), system=system)
    machine.configure(LOCAL.replace("cursor", "mine") + "tool_definitions:\n  - {name: mine, destination: .project/}\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".project/a.md": "a\n"}
    assert machine.locked("rules")["type"] == "local"


def test_r012_targets_overrides_and_transforms_are_strung_together_in_order(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "overrides:\n  - {target: a.md, strategy: append, file: ext/project.md}\n")
    for level in ("system", "user", "project"):
        machine.put(f"ext/{level}.md", f"{level}\n")
    layer = "version: 1\noverrides:\n  - {{target: a.md, strategy: append, file: ext/{}.md}}\n"
    with_layers(machine, system=layer.format("system"), user=layer.format("user"))
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "a\nsystem\nuser\nproject\n"}


@pytest.mark.parametrize("how", ["flag", "1", "true"])
def test_r013_without_inheritance_only_the_project_counts(tmp_path: Path, how: str) -> None:
    machine = with_layers(a_local_machine(tmp_path), system="version: 7\nnonsense: [\n")
    machine.run("update", "--yes", expect=3)
    words = ["--no-inherit"] if how == "flag" else []
    variables = {} if how == "flag" else {"AGENT_SYNC_NO_INHERIT": how}
    machine.run("update", "--yes", *words, environment=variables)
    machine.run("sync", *words, environment=variables)
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}


def test_r014_the_variables_move_the_layers_and_info_shows_them(tmp_path: Path) -> None:
    machine = with_layers(a_local_machine(tmp_path), system="version: 1\n", user="version: 1\n")
    info = machine.run("info").out
    assert machine.variables["AGENT_SYNC_SYSTEM_CONFIG"] in info
    assert machine.variables["AGENT_SYNC_USER_CONFIG"] in info


def test_r015_info_says_whether_layers_are_inherited_and_the_docs_recommend_not_to_in_ci(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    assert "inherit" in machine.run("info").out
    docs = Path(__file__).parents[2] / "docs"
    assert "--no-inherit" in (docs / "how-to" / "use-it-in-ci.md").read_text()


def test_x21_a_users_own_source_never_reaches_the_committed_lock(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = a_local_machine(tmp_path / "alone")
    alone.lock_and_sync()
    machine = a_local_machine(tmp_path)
    machine.put("mine/m.md", "m\n")
    with_layers(
        machine,
        user="version: 1\nsources:\n  - {name: mine, type: local, path: ./mine/}\n"
        "targets:\n  - {source: mine, tools: [cline]}\n",
    )
    machine.lock_and_sync()
    assert machine.lock_bytes == alone.lock_bytes
    assert ".cline/rules/m.md" in machine.outputs()
    machine.run("check")
    clean = machine.another("ci")
    clean.run("sync", "--no-inherit")
    assert clean.outputs() == {".cursor/rules/a.md": "a\n"}
    clean.run("check", "--no-inherit", "--strict")


@pytest.mark.parametrize("version", ['"1"', "true", "1.0", "[1]"])
def test_r111_the_version_is_an_integer_in_configuration_and_lock(tmp_path: Path, version: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    good = machine.lock_bytes.decode()
    machine.put("agent-sync.lock", good.replace("version: 1", f"version: {version}", 1))
    assert "version" in machine.run("sync", expect=4).err
    machine.put("agent-sync.lock", good)
    machine.configure(LOCAL.replace("version: 1", f"version: {version}", 1))
    assert "version" in machine.run("sync", expect=3).err


def test_r111_a_missing_version_is_an_error_in_both(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    good = machine.lock_bytes.decode()
    machine.put("agent-sync.lock", good.replace("version: 1\n", "", 1))
    machine.run("sync", expect=4)
    machine.put("agent-sync.lock", good)
    machine.configure(LOCAL.replace("version: 1\n", "", 1))
    machine.run("sync", expect=3)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("path: [1]", "path: ./rules/"),
        ("type: 7", "type: local"),
        ("tools: cursor", "tools: [cursor]"),
        ("sources: {}", "sources:\n  - name: rules\n    type: local\n    path: ./rules/"),
    ],
)
def test_r112_a_wrong_type_in_the_configuration_is_placed_and_refused(tmp_path: Path, wrong: str, right: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.configure(LOCAL.replace(right, wrong))
    ran = machine.run("update", "--yes", expect=3)
    assert "--> agent-sync.yaml:" in ran.err


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    type: local", "    type: cvs"),
        ("    status: ok", "    status: [ok]"),
        ("outputs:\n  - source: rules", "outputs:\n  - source: [rules]"),
        ("      files:\n        a.md:\n", "      files:\n        a.md: x\n        b.md:\n"),
    ],
)
def test_r112_a_wrong_type_in_the_lock_is_placed_and_refused(tmp_path: Path, right: str, wrong: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    machine.put("agent-sync.lock", machine.lock_bytes.decode().replace(right, wrong))
    ran = machine.run("sync", expect=4)
    assert "--> agent-sync.lock:" in ran.err
    assert machine.outputs() == {}


def test_r113_an_unknown_version_is_rejected_in_configuration_and_lock(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    good = machine.lock_bytes.decode()
    machine.put("agent-sync.lock", good.replace("version: 1", "version: 2", 1))
    assert "version" in machine.run("sync", expect=4).err
    machine.put("agent-sync.lock", good)
    machine.configure(LOCAL.replace("version: 1", "version: 2", 1))
    assert "version" in machine.run("sync", expect=3).err


def test_r114_unknown_fields_are_ignored_at_every_level(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.configure(
        "version: 1\nfrom_the_future: {a: 1}\nsources:\n"
        "  - {name: rules, type: local, path: ./rules/, hue: blue}\n"
        "targets:\n  - {source: rules, tools: [cursor], hue: blue}\n"
    )
    machine.run("update", "--yes")
    lock = machine.lock_bytes.decode()
    future = lock.replace("    status: ok\n", "    status: ok\n    hue: blue\n").replace(
        "    resolved:\n", "    resolved:\n      hue: blue\n"
    )
    machine.put("agent-sync.lock", future + "hue: blue\n")
    machine.run("sync")
    machine.run("check")
    machine.put("rules/b.md", "b\n")
    machine.run("update", "--yes")
    assert machine.lock["hue"] == "blue"
    assert machine.locked("rules")["hue"] == "blue"


def test_r115_migrate_says_that_version_1_needs_nothing(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    before = machine.lock_bytes
    assert "nothing to migrate" in machine.run("migrate").said
    assert machine.lock_bytes == before


def test_r116_version_1_is_the_first_so_a_lock_before_it_has_no_meaning(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    machine.put("agent-sync.lock", machine.lock_bytes.decode().replace("version: 1", "version: 0", 1))
    machine.run("migrate", expect=4)


def test_migrate_refuses_a_configuration_of_an_unknown_version(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    before = machine.lock_bytes
    machine.configure(machine.read("agent-sync.yaml").replace("version: 1", "version: 2", 1))
    ran = machine.run("migrate", expect=3)
    assert "version 2" in ran.err
    assert "agent-sync.yaml:1:10" in ran.err
    assert machine.lock_bytes == before
