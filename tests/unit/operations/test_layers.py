"""The shared lock is a function of the project's file; what a user's own layers add stays in `.agent-sync/`."""

from __future__ import annotations

import pytest

from agent_sync.errors import LockMissing, MissingVariable
from tests.builders.projects import MemoryProject, a_local_project

USER = "/home/.config/agent-sync/agent-sync.yaml"
INHERITED = ".agent-sync/inherited.lock"


def with_user_layer(config: str, project: MemoryProject | None = None) -> MemoryProject:
    project = project or a_local_project()
    project.layers[USER] = f"version: 1\n{config}".encode()
    return project


PERSONAL = """\
sources:
  - {name: mine, type: local, path: ./mine/}
targets:
  - {source: mine, destination: .mine/}
"""


def personal() -> MemoryProject:
    project = with_user_layer(PERSONAL)
    project.put("mine/m.md", "m\n")
    return project


def test_the_shared_lock_is_the_same_with_and_without_a_users_layer() -> None:
    alone = a_local_project()
    alone.project().update()
    project = personal()
    project.project().update()
    assert project.lock == alone.lock
    assert "mine" in project.read(INHERITED)


def test_an_inherited_source_is_synced_and_checked_like_any_other() -> None:
    project = personal()
    project.project().update()
    project.project().sync()
    assert project.outputs[".mine/m.md"] == "m\n"
    assert project.project().check().clean


def test_without_inheritance_it_is_as_if_there_were_no_layer() -> None:
    project = personal()
    project.project().update()
    project.project(no_inherit=True).sync()
    assert ".mine/m.md" not in project.outputs


def test_an_inherited_source_that_is_not_locked_names_the_command_that_locks_it() -> None:
    project = a_local_project()
    project.project().update()
    with_user_layer(PERSONAL, project).put("mine/m.md", "m\n")
    with pytest.raises(LockMissing) as missing:
        project.project().sync()
    assert "agent-sync update --inherited" in (missing.value.remedy or "")
    before = project.lock
    project.put("rules/a.md", "changed, and not to be locked by this\n")
    project.project().update(inherited=True)
    assert project.lock == before
    project.put("rules/a.md", "a\n")
    project.project().sync()
    assert ".mine/m.md" in project.outputs


TEMPLATED = "variables: {a: project}\ntransforms:\n  - {source: rules, type: template}\n"


def test_a_users_variable_renders_here_and_never_reaches_the_shared_lock() -> None:
    project = with_user_layer(
        "variables: {b: user}\n", a_local_project(TEMPLATED, rules={"t.md": "{{ .a }} {{ .b }}\n"})
    )
    project.project().update()
    project.project().sync()
    assert project.outputs[".cursor/rules/t.md"] == "project user\n"
    assert "transformed" not in project.lock
    with pytest.raises(MissingVariable):
        project.project(no_inherit=True).sync()


def test_when_nothing_is_inherited_any_more_its_lock_goes() -> None:
    project = personal()
    project.project().update()
    del project.layers[USER]
    project.project().update()
    assert INHERITED not in project.files


def test_an_inherited_update_records_what_a_users_variable_makes_of_the_projects_source() -> None:
    project = a_local_project(TEMPLATED.replace("a: project", "a: project, b: shared"), rules={"t.md": "{{ .b }}\n"})
    project.project().update()
    shared = project.lock
    with_user_layer(
        "variables: {c: unused}\ntransforms:\n  - {source: rules, type: template, vars: {b: mine}}\n", project
    )
    project.project().update(inherited=True)
    project.project().sync()
    assert project.lock == shared
    assert "recipe-changed" not in project.warnings


def files_of_a_layer() -> MemoryProject:
    """A personal source whose files are in a directory of their own and in the project's, all of them synced."""
    project = with_user_layer(PERSONAL + "  - {source: mine, tools: [cursor]}\n")
    project.put("mine/m.md", "m\n")
    project.project().update()
    project.project().sync()
    assert {".mine/m.md", ".cursor/rules/m.md"} <= project.outputs.keys()
    return project


def test_a_check_without_inheritance_leaves_the_files_of_the_users_layer_alone() -> None:
    project = files_of_a_layer()
    result = project.project(no_inherit=True).check(strict=True)
    assert result.clean, result.drift
    project.put(".cursor/rules/stray.md", "stray\n")
    assert project.project(no_inherit=True).check().drift.unexpected == (".cursor/rules/stray.md",)


def test_neither_sync_nor_prune_without_inheritance_deletes_the_files_of_the_users_layer() -> None:
    project = files_of_a_layer()
    before = project.outputs
    alone = project.project(no_inherit=True)
    assert alone.sync(prune=True).removed == ()
    assert alone.prune().removed == ()
    assert alone.check().clean
    assert project.outputs == before
    assert project.project().check().clean


def test_what_the_users_layer_gives_up_is_an_orphan_again() -> None:
    project = files_of_a_layer()
    project.project(no_inherit=True).sync()
    del project.layers[USER]
    project.project().update()
    assert set(project.project().check().drift.orphaned) == {".mine/m.md", ".cursor/rules/m.md"}
    project.project().prune()
    assert project.outputs.keys() == {".cursor/rules/a.md"}


@pytest.mark.parametrize("content", ["nonsense", "version: 1\noutputs: [{source: rules, to: .cursor/rules}]\n"])
def test_an_inherited_lock_that_cannot_be_read_does_not_stop_a_check_without_inheritance(content: str) -> None:
    project = files_of_a_layer()
    project.put(INHERITED, content)
    assert project.project(no_inherit=True).check().drift.orphaned == (".cursor/rules/m.md", ".mine/m.md")
