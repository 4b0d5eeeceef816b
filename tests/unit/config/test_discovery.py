"""Where the files are looked for, on each system and under each variable and option."""

from __future__ import annotations

import pytest

from agent_sync.config import ConfigPath, Environment, discover, is_on


def test_r008_the_three_places_on_linux() -> None:
    places = discover(Environment(cwd="/work/app", home="/home/me"))
    assert places.root == "/work/app"
    assert places.lock == "/work/app/agent-sync.lock"
    assert places.project == ConfigPath("/work/app/agent-sync.yaml", "agent-sync.yaml")
    assert places.user is not None
    assert places.user.path == "/home/me/.config/agent-sync/agent-sync.yaml"
    assert places.system is not None
    assert places.system.path == "/etc/agent-sync/agent-sync.yaml"
    assert places.policies[0].path == "/etc/agent-sync/policy.yaml"
    assert places.inherit


@pytest.mark.parametrize(
    ("value", "path"),
    [("/xdg", "/xdg/agent-sync/agent-sync.yaml"), ("relative", "/home/me/.config/agent-sync/agent-sync.yaml")],
)
def test_the_users_file_follows_xdg_unless_it_is_relative(value: str, path: str) -> None:
    places = discover(Environment(cwd="/w", home="/home/me", variables={"XDG_CONFIG_HOME": value}))
    assert places.user is not None
    assert places.user.path == path


def test_r008_the_three_places_on_macos() -> None:
    places = discover(Environment(cwd="/w", platform="macos", home="/Users/me", variables={"XDG_CONFIG_HOME": "/xdg"}))
    assert places.user is not None
    assert places.user.path == "/Users/me/Library/Application Support/agent-sync/agent-sync.yaml"
    assert places.system is not None
    assert places.system.path == "/etc/agent-sync/agent-sync.yaml"


def test_r008_the_three_places_on_windows() -> None:
    variables = {"ProgramData": r"D:\Data", "AppData": r"C:\Users\me\AppData\Roaming"}
    places = discover(Environment(cwd=r"C:\work", platform="windows", home=r"C:\Users\me", variables=variables))
    assert places.project.path == r"C:\work\agent-sync.yaml"
    assert places.user is not None
    assert places.user.path == r"C:\Users\me\AppData\Roaming\agent-sync\agent-sync.yaml"
    assert places.system is not None
    assert places.system.path == r"D:\Data\agent-sync\agent-sync.yaml"
    assert places.policies[0].path == r"D:\Data\agent-sync\policy.yaml"


def test_who_has_no_home_has_no_file_of_their_own() -> None:
    assert discover(Environment(cwd="/w", home=None)).user is None
    assert discover(Environment(cwd="/w", home="")).user is None


def test_r014_variables_override_the_paths() -> None:
    variables = {"AGENT_SYNC_SYSTEM_CONFIG": "/s.yaml", "AGENT_SYNC_USER_CONFIG": "u.yaml"}
    places = discover(Environment(cwd="/w", home="/home/me", variables=variables))
    assert places.system == ConfigPath("/s.yaml", "/s.yaml")
    assert places.user == ConfigPath("/w/u.yaml", "u.yaml")


def test_an_empty_variable_counts_as_unset() -> None:
    variables = {"AGENT_SYNC_SYSTEM_CONFIG": "", "AGENT_SYNC_USER_CONFIG": "", "AGENT_SYNC_POLICY": ""}
    environment = Environment(cwd="/w", home="/home/me", variables=variables)
    assert discover(environment) == discover(Environment(cwd="/w", home="/home/me"))


@pytest.mark.parametrize(
    ("value", "inherit"), [("1", False), ("true", False), ("TRUE", False), ("", True), ("0", True), ("false", True)]
)
def test_r013_the_variable_that_turns_inheriting_off(value: str, *, inherit: bool) -> None:
    places = discover(Environment(cwd="/w", variables={"AGENT_SYNC_NO_INHERIT": value}))
    assert places.inherit is inherit


@pytest.mark.parametrize("value", ["1", "true", "True", " 1 ", "true\n"])
def test_all_variables_are_switched_on_by_the_same_words(value: str) -> None:
    assert is_on(value)


@pytest.mark.parametrize("value", ["", "0", "false", "off", "11"])
def test_anything_else_leaves_a_variable_off(value: str) -> None:
    assert not is_on(value)


def test_r013_the_option_that_turns_inheriting_off() -> None:
    assert not discover(Environment(cwd="/w"), no_inherit=True).inherit


def test_a_policy_that_a_variable_names_must_be_there() -> None:
    places = discover(Environment(cwd="/w", variables={"AGENT_SYNC_POLICY": "/p.yaml"}))
    assert places.policies == (ConfigPath("/p.yaml", "/p.yaml", required=True),)


@pytest.mark.parametrize(
    ("config", "root"), [("sub/other.yaml", "/w/sub"), ("../x/agent-sync.yaml", "/x"), ("/abs/c.yaml", "/abs")]
)
def test_the_option_names_the_root_by_its_directory_and_the_lock_lies_there(config: str, root: str) -> None:
    places = discover(Environment(cwd="/w"), config=config)
    assert places.root == root
    assert places.lock == f"{root}/agent-sync.lock"
    assert places.project.shown == config
    assert places.project.required


def test_the_lock_option_is_relative_to_the_current_directory() -> None:
    places = discover(Environment(cwd="/w"), config="sub/agent-sync.yaml", lockfile="locks/a.lock")
    assert places.lock == "/w/locks/a.lock"
