"""From places to a configuration: which files are read, and what it means that one is not there."""

from __future__ import annotations

import pytest

from agent_sync.config import Environment, discover, limits_of
from agent_sync.config.load import load
from agent_sync.errors import ConfigInvalid, FileSystemError, UsageError
from agent_sync.limits import Limits
from tests.builders.configs import GIT, a_config, a_directory, a_load, a_source


def only_the_project(path: str) -> bytes | None:
    return b"version: 1" if path == "/w/agent-sync.yaml" else None


def test_r008_missing_files_are_skipped_and_those_there_are_listed_in_order() -> None:
    assert [layer.level for layer in a_load("version: 1").layers] == ["project"]
    assert [layer.level for layer in a_load("version: 1", system="version: 1").layers] == ["system", "project"]
    every = a_load("version: 1", user="version: 1", system="version: 1", policy="version: 1")
    assert [layer.level for layer in every.layers] == ["system", "user", "project"]
    assert every.policies
    assert every.layers[1].file.path == "/home/me/.config/agent-sync/agent-sync.yaml"


def test_without_any_file_the_error_says_where_it_looked_and_how_to_begin() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        a_load()
    assert caught.value.subject == "agent-sync.yaml"
    assert "/project" in caught.value.check
    assert "/etc/agent-sync/agent-sync.yaml" in caught.value.check
    assert caught.value.remedy == "create one: agent-sync init"


@pytest.mark.parametrize(
    ("named", "there", "remedy"),
    [
        (None, "/project/agent-sync.yml", "found agent-sync.yml: rename it to agent-sync.yaml"),
        ("sub/c.yaml", "/project/sub/c.yml", "found c.yml: rename it to c.yaml"),
        ("sub/c.yml", "/project/sub/c.yaml", "found c.yaml: rename it to c.yml"),
        ("sub/c", "/project/sub/c.yml", "correct the path that was given"),
    ],
)
def test_a_file_beside_it_with_the_other_ending_is_found(named: str | None, there: str, remedy: str) -> None:
    places = discover(Environment(cwd="/project"), config=named)
    with pytest.raises(ConfigInvalid) as caught:
        load(places, lambda path: b"version: 1\n" if path == there else None, a_directory())
    assert caught.value.remedy == remedy


def test_r013_without_inheriting_the_users_file_is_no_configuration() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        a_load(user="version: 1", inherit=False)
    assert "/etc" not in caught.value.check


def test_a_file_that_an_option_or_the_policys_variable_names_must_be_there() -> None:
    named = discover(Environment(cwd="/w"), config="sub/c.yaml")
    with pytest.raises(ConfigInvalid, match="no such file") as caught:
        load(named, lambda _: None, a_directory())
    assert caught.value.subject == "sub/c.yaml"
    policy = discover(Environment(cwd="/w", variables={"AGENT_SYNC_POLICY": "/p.yaml"}))
    with pytest.raises(ConfigInvalid, match="no such file") as caught:
        load(policy, only_the_project, a_directory())
    assert caught.value.subject == "/p.yaml"


def test_a_variable_may_name_a_layer_that_is_not_there() -> None:
    places = discover(Environment(cwd="/w", variables={"AGENT_SYNC_USER_CONFIG": "/gone.yaml"}))
    assert len(load(places, only_the_project, a_directory()).layers) == 1


def test_a_file_that_cannot_be_read_is_not_taken_for_a_missing_one() -> None:
    def read(path: str) -> bytes | None:
        raise FileSystemError(subject=path, check="permission denied")

    with pytest.raises(FileSystemError):
        load(discover(Environment(cwd="/w")), read, a_directory())


def test_the_warnings_of_every_file_are_there() -> None:
    loaded = a_load("x-a: 1", user="x-b: 1")
    assert [str(each.place) for each in loaded.warnings] == [
        "/home/me/.config/agent-sync/agent-sync.yaml:2:1",
        "agent-sync.yaml:2:1",
    ]


# -- Several files, one configuration: the table of spec §3.3, row by row.


def local(*names: str, path: str = "p") -> str:
    """Local sources of these names."""
    return "".join(f"  - {{name: {name}, type: local, path: {path}}}\n" for name in names)


def test_r009_a_layer_of_another_version_is_fatal() -> None:
    with pytest.raises(ConfigInvalid, match="version 2 is not known") as caught:
        a_load("version: 1", system="version: 2")
    assert str(caught.value.place) == "/etc/agent-sync/agent-sync.yaml:1:10"
    assert "in every configuration file" in str(caught.value.remedy)


def test_r010_variables_are_merged_deeply_and_the_higher_layer_wins() -> None:
    config = a_load(
        "variables: {a: project, deep: {x: project}, list: [3]}",
        user="variables: {a: user, b: user, deep: {x: user, y: {z: user}}}",
        system="variables: {a: system, b: system, c: system, deep: {w: system, y: {v: system}}, list: [1, 2]}",
    ).merged
    assert config.variables == {
        "a": "project",
        "b": "user",
        "c": "system",
        "deep": {"w": "system", "x": "project", "y": {"v": "system", "z": "user"}},
        "list": [3],
    }


def test_a_mapping_and_a_plain_value_are_not_merged() -> None:
    assert a_load("variables: {a: {b: 1}}", user="variables: {a: 5}").merged.variables == {"a": {"b": 1}}
    assert a_load("variables: {a: 5}", user="variables: {a: {b: 1}}").merged.variables == {"a": 5}


def test_r011_a_source_of_a_higher_layer_fully_replaces_the_one_of_its_name() -> None:
    loaded = a_load(
        f"sources: [{GIT}]",
        user=f"sources:\n{local('mine')}",
        system="sources:\n  - {name: rules, type: git, repo: /srv/r, ref: old, paths: [core/], root: core/}\n"
        + local("last"),
    )
    assert [source.name for source in loaded.merged.sources] == ["rules", "last", "mine"]
    rules = loaded.merged.source("rules")
    assert rules == a_source("git", name="rules", repo="https://example.com/rules.git", ref="v1")


def test_r011_a_tool_definition_of_a_higher_layer_replaces_the_one_of_its_name() -> None:
    config = a_load(
        "tool_definitions: [{name: t, destination: of-project}]",
        system="tool_definitions: [{name: t, destination: of-system}, {name: u, destination: u}]",
    ).merged
    assert [(each.name, each.destination) for each in config.tool_definitions] == [("t", "of-project"), ("u", "u")]


def test_r012_targets_overrides_and_transforms_are_system_then_user_then_project() -> None:
    def layer(name: str) -> str:
        return f"""
        sources: [{{name: {name}, type: local, path: {name}}}]
        targets: [{{source: {name}, destination: {name}}}]
        overrides: [{{target: a.md, strategy: append, file: {name}.md}}]
        transforms: [{{source: {name}, type: template}}]
        """

    directory = a_directory("system.md", "user.md", "project.md")
    config = a_load(layer("project"), user=layer("user"), system=layer("system"), directory=directory).merged
    order = ["system", "user", "project"]
    assert [each.source for each in config.targets] == order
    assert [each.file for each in config.overrides] == [f"{name}.md" for name in order]
    assert [each.source for each in config.transforms] == order


def test_r013_without_inheriting_only_the_project_file_counts_even_if_the_others_are_broken() -> None:
    project = "sources:\n" + local("own") + "targets: [{source: own, destination: d}]"
    loaded = a_load(project, user="version: 7", system=": not yaml", inherit=False)
    assert loaded.merged == loaded.project == a_config(project)
    assert [layer.level for layer in loaded.layers] == ["project"]


def test_limits_of_a_higher_layer_replace_bound_by_bound_and_those_of_the_policy_cap() -> None:
    loaded = a_load(
        "limits: {max_file_size: 500MB, max_files: 10}",
        user="limits: {max_files: 5, fetch_timeout: 2m}",
        policy="limits: {max_file_size: 200MB, fetch_timeout: 10m}",
    )
    assert loaded.merged.limits == Limits(max_file_size=200_000_000, max_files=10, fetch_timeout_s=120.0)
    assert loaded.project.limits == loaded.merged.limits


def test_the_default_limits_are_those_that_the_documentation_shows() -> None:
    assert (
        a_config(
            """
        limits:
          max_file_size: 100MB
          max_source_size: 1GB
          max_files: 100000
          fetch_timeout: 120s
          command_timeout: 60s
        """
        ).limits
        == Limits()
    )


def test_a_source_only_lowers_the_general_limits() -> None:
    config = a_config(
        """
        limits: {max_files: 100}
        sources:
          - {name: a, type: local, path: a, limits: {max_files: 5, max_file_size: 1GB}}
          - {name: b, type: local, path: b}
        """
    )
    assert limits_of("a", config) == Limits(max_files=5)
    assert limits_of("b", config) == Limits(max_files=100)


def test_an_undeclared_name_is_wrong_usage_with_a_suggestion() -> None:
    config = a_config("sources:\n" + local("base-rules"))
    with pytest.raises(UsageError) as caught:
        config.source("base-rule")
    assert caught.value.remedy == 'did you mean "base-rules"?'
    with pytest.raises(UsageError) as caught:
        config.source("xyz")
    assert caught.value.remedy == "choose one of: base-rules"


def test_caches_add_up_and_the_highest_bundle_name_and_tool_map_win() -> None:
    config = a_load(
        "caches: [b, c]\ntool_map: spec-v1",
        user="caches: [a, b]\nbundle: {name: of-user}\ntool_map: 2026-11",
        system="bundle: {name: of-system}",
    ).merged
    assert config.caches == ("a", "b", "c")
    assert config.bundle is not None
    assert config.bundle.name == "of-user"
    assert config.tool_map == "spec-v1"


def test_every_part_still_knows_where_it_was_written() -> None:
    line = f"sources: [{GIT}]"
    config = a_load(line, system="# first\nsources:\n" + local("old", "rules")).merged
    assert config.origins is not None
    low = config.origins.problem("sources", 0, "path", check="", remedy=None)
    high = config.origins.problem("sources", 1, "ref", key=True, check="", remedy=None)
    assert str(low.place) == "/etc/agent-sync/agent-sync.yaml:4:36"
    assert str(high.place) == f"agent-sync.yaml:2:{line.index('ref') + 1}"


class TestTheProjectAlone:
    """What the shared lock is a function of (docs/reference/configuration.md, "Layers")."""

    PROJECT = """
    sources: [{name: own, type: local, path: own}]
    targets:
      - {source: own, tools: [cursor, mine]}
      - {source: own, tools: [mine]}
      - {source: personal, tools: [cursor]}
    transforms: [{source: personal, type: template}, {source: own, type: template}]
    variables: {a: project}
    """
    USER = """
    tool_map: 2026-11
    sources: [{name: personal, type: local, path: personal}, {name: own, type: local, path: elsewhere}]
    targets: [{source: own, destination: private}]
    tool_definitions: [{name: mine, destination: .mine}, {name: cursor, destination: .moved}]
    variables: {a: user, b: user}
    limits: {max_files: 7}
    security: {protocols: [https]}
    """

    def test_x21_nothing_that_another_layer_declares_is_in_it(self) -> None:
        project = a_load(self.PROJECT, user=self.USER).project
        assert [source.name for source in project.sources] == ["own"]
        assert [(each.source, each.tools, each.destination) for each in project.targets] == [("own", ("cursor",), None)]
        assert [each.source for each in project.transforms] == ["own"]
        assert project.variables == {"a": "project"}
        assert project.tool_definitions == ()
        assert project.tool_map == "spec-v1"

    def test_the_merged_view_has_it_all(self) -> None:
        loaded = a_load(self.PROJECT, user=self.USER)
        assert [source.name for source in loaded.merged.sources] == ["personal", "own"]
        assert len(loaded.merged.targets) == 4

    def test_the_demands_of_other_layers_hold_for_it(self) -> None:
        loaded = a_load(self.PROJECT, user=self.USER)
        assert loaded.project.security == loaded.merged.security
        assert loaded.project.limits.max_files == 7

    def test_its_parts_know_where_they_were_written(self) -> None:
        project = a_load(self.PROJECT, user=self.USER).project
        assert project.origins is not None
        place = project.origins.problem("transforms", 0, "source", check="", remedy=None).place
        assert place is not None
        assert (place.line, place.text[place.column - 1 :]) == (7, "own, type: template}]")

    def test_without_a_project_file_everything_is_the_projects(self) -> None:
        loaded = a_load(user="sources:\n" + local("personal"))
        assert loaded.project == loaded.merged
