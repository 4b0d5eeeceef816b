"""Security: every file can add demands, none can take one away, and the machine's policy holds under every flag."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_sync.config import Environment, Policy, Signers, discover, signed_of, signers_of
from agent_sync.config.layer import Level
from agent_sync.config.load import load_policies
from agent_sync.errors import ConfigInvalid
from tests.builders.configs import a_layer, a_load, load_files, yaml_of

LEVELS: tuple[Level, ...] = ("system", "user", "project", "policy")
MACHINE: tuple[Level, ...] = ("policy", "system", "user")


def demands(texts: Mapping[Level, str]) -> Policy:
    """What these files demand together."""
    loaded = load_files({"project": "version: 1", **texts})
    assert loaded.project.security == loaded.merged.security
    return loaded.merged.security


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("line", "demanded"),
    [
        ("templates: off", Policy(templates=False)),
        ("custom_transforms: off", Policy(custom_transforms=False)),
        ("protocols: [ssh, https]", Policy(protocols=("https", "ssh"))),
        ("repositories: ['https://h/*']", Policy(repositories=(("https://h/*",),))),
        ("signed: tag", Policy(signed=("tag",))),
    ],
)
def test_a_demand_holds_whoever_makes_it(level: Level, line: str, demanded: Policy) -> None:
    assert demands({level: f"security: {{{line}}}"}) == demanded


TIGHT = "templates: off, custom_transforms: off, protocols: [https], repositories: ['https://h/*']"
LOOSE = "templates: on, custom_transforms: sandboxed, protocols: [http, https], repositories: ['**']"


@pytest.mark.parametrize("tight", LEVELS)
@pytest.mark.parametrize("loose", LEVELS)
def test_no_file_loosens_what_another_demands(tight: Level, loose: Level) -> None:
    if tight == loose:
        return
    both = demands({tight: f"security: {{{TIGHT}}}", loose: f"security: {{{LOOSE}}}"})
    assert not both.templates
    assert not both.custom_transforms
    assert both.protocols == ("https",)
    assert sorted(both.repositories) == [("**",), ("https://h/*",)]


def test_tag_and_commit_from_different_files_are_both_required() -> None:
    assert demands({"system": "security: {signed: commit}", "project": "security: {signed: tag}"}).signed == (
        "tag",
        "commit",
    )


def test_protocols_that_exclude_each_other_leave_none() -> None:
    assert (
        demands({"user": "security: {protocols: [ssh]}", "project": "security: {protocols: [https]}"}).protocols == ()
    )


def test_the_policy_holds_without_inheriting_and_other_layers_do_not() -> None:
    loaded = a_load("version: 1", system="security: {templates: off}", policy="security: {signed: tag}", inherit=False)
    assert loaded.merged.security == loaded.project.security == Policy(signed=("tag",))


def test_the_policy_alone_is_known_without_any_configuration() -> None:
    places = discover(Environment(cwd="/w"))
    policy = yaml_of("security: {signed: tag}\nlimits: {max_files: 3}\ntrust: {require: signed}")
    config = load_policies(places, lambda path: policy if path == "/etc/agent-sync/policy.yaml" else None)
    assert config.security.signed == ("tag",)
    assert config.limits.max_files == 3
    assert [trust.require for trust in config.trust] == ["signed"]
    assert load_policies(places, lambda _: None).security == Policy()


def test_trust_adds_up_from_every_file() -> None:
    rule = "trust: {{revoked: [{{digest: of-{0}}}]}}"
    loaded = load_files({level: rule.format(level) for level in LEVELS})
    named = [each.digest for trust in loaded.project.trust for each in trust.revoked]
    assert named == ["of-policy", "of-system", "of-user", "of-project"]


PROJECT = """
sources:
  - {name: plain, type: git, repo: r, ref: v}
  - {name: named, type: git, repo: r, ref: v, signed: commit, allowed_signers: keys/own}
"""


def test_a_source_is_judged_by_the_signers_it_names_else_by_those_of_its_file() -> None:
    config = a_load(PROJECT + "security: {signed: tag, keyring: keys/all.gpg}").merged
    assert signers_of("plain", config) == Signers(keyring="keys/all.gpg")
    assert signers_of("named", config) == Signers(allowed_signers="keys/own")
    assert signed_of("plain", config) == ("tag",)
    assert signed_of("named", config) == ("tag", "commit")


@pytest.mark.parametrize("level", MACHINE)
def test_the_machines_signers_replace_those_that_a_project_names(level: Level) -> None:
    machine = "security: {allowed_signers: /etc/keys}"
    config = load_files({"project": PROJECT + "security: {keyring: keys/all.gpg}", level: machine}).merged
    assert signers_of("plain", config) == signers_of("named", config) == Signers(allowed_signers="/etc/keys")


def test_the_policys_signers_come_before_all_others() -> None:
    loaded = a_load(
        PROJECT,
        system="security: {keyring: /sys.gpg}\nsources: [{name: s, type: git, repo: r, ref: v, keyring: /own.gpg}]",
        policy="security: {keyring: /policy.gpg}",
    )
    assert signers_of("s", loaded.merged) == signers_of("named", loaded.project) == Signers(keyring="/policy.gpg")


def test_a_lower_layers_source_keeps_the_signers_that_it_names() -> None:
    system = "sources: [{name: s, type: git, repo: r, ref: v, keyring: /own.gpg}]\nsecurity: {keyring: /sys.gpg}"
    loaded = a_load("security: {keyring: keys/p.gpg}", system=system)
    assert signers_of("s", loaded.merged) == Signers(keyring="/own.gpg")


def test_nobody_is_named_where_nobody_names_anyone() -> None:
    assert signers_of("plain", a_load("sources: [{name: plain, type: git, repo: r, ref: v}]").merged) is None


@pytest.mark.parametrize("level", MACHINE)
@pytest.mark.parametrize("key", ["allowed_signers", "keyring"])
def test_a_machines_file_names_keys_by_absolute_path(level: Level, key: str) -> None:
    with pytest.raises(ConfigInvalid, match="is relative") as caught:
        a_layer(f"security: {{{key}: keys/x}}", level=level)
    assert "project itself would say whom to trust" in str(caught.value.remedy)
