"""From places to a configuration: which files are read, and what it means that one is not there."""

from __future__ import annotations

import pytest

from agent_sync.config import Environment, discover
from agent_sync.config.loading import load
from agent_sync.errors import ConfigInvalid, FileFault
from tests.builders.configs import a_folder, a_load


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
    assert caught.value.remedy == "make one: agent-sync init"


def test_r013_without_inheriting_the_users_file_is_no_configuration() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        a_load(user="version: 1", inherit=False)
    assert "/etc" not in caught.value.check


def test_a_file_that_an_option_or_the_policys_variable_names_must_be_there() -> None:
    named = discover(Environment(cwd="/w"), config="sub/c.yaml")
    with pytest.raises(ConfigInvalid, match="no such file") as caught:
        load(named, lambda _: None, a_folder())
    assert caught.value.subject == "sub/c.yaml"
    policy = discover(Environment(cwd="/w", variables={"AGENT_SYNC_POLICY": "/p.yaml"}))
    with pytest.raises(ConfigInvalid, match="no such file") as caught:
        load(policy, only_the_project, a_folder())
    assert caught.value.subject == "/p.yaml"


def test_a_variable_may_name_a_layer_that_is_not_there() -> None:
    places = discover(Environment(cwd="/w", variables={"AGENT_SYNC_USER_CONFIG": "/gone.yaml"}))
    assert len(load(places, only_the_project, a_folder()).layers) == 1


def test_a_file_that_cannot_be_read_is_not_taken_for_a_missing_one() -> None:
    def read(path: str) -> bytes | None:
        raise FileFault(subject=path, check="permission denied")

    with pytest.raises(FileFault):
        load(discover(Environment(cwd="/w")), read, a_folder())


def test_the_warnings_of_every_file_are_there() -> None:
    loaded = a_load("x-a: 1", user="x-b: 1")
    assert [each.subject for each in loaded.warnings] == [
        "/home/me/.config/agent-sync/agent-sync.yaml:2:1",
        "agent-sync.yaml:2:1",
    ]
