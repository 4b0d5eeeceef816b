"""Unknown keys of a configuration: ignored, reported, and refused where a slip would switch a protection off."""

from __future__ import annotations

import pytest

from agent_sync.errors import ConfigInvalid
from tests.builders.configs import GIT, a_config, a_layer, a_load

PLAIN = f"sources: [{GIT}]\ntargets: [{{source: rules, tools: [cursor]}}]\n"


def test_r114_unknown_keys_are_ignored_at_every_level() -> None:
    config = a_config(
        """
        x-team: blue
        metadata: {owner: [me]}
        secrets: none
        limits: {per_day: 5}
        security: {note: x}
        sources:
          - {name: rules, type: git, repo: https://example.com/rules.git, ref: v1, note: x, limits: {later: 1}}
        targets:
          - {source: rules, tools: [cursor], since: 2024}
        overrides: [{target: a, strategy: append, file: b, why: x}]
        transforms: [{source: rules, type: template, engine: go}]
        tool_definitions: [{name: t, destination: d, icon: x}]
        trust: {rules: [{bundle: b, signers: [{key: k, who: x}], colour: red}]}
        bundle: {name: a, label: x}
        """
    )
    assert [source.name for source in config.sources] == ["rules"]
    assert config.limits == a_config(PLAIN).limits
    assert config.targets == a_config(PLAIN).targets


def test_an_unknown_key_is_a_warning_with_its_spot_and_a_suggestion() -> None:
    layer = a_layer("targets:\n  - source: rules\n    tols: [cursor]\nx-team: blue\n")
    assert [(each.rule, str(each.place)) for each in layer.warnings] == [
        ("unknown-key", "agent-sync.yaml:4:5"),
        ("unknown-key", "agent-sync.yaml:5:1"),
    ]
    near, far = (each.message for each in layer.warnings)
    assert near == 'unknown key "tols" in targets[0] is ignored; did you mean `tools`?'
    assert far == 'unknown key "x-team" in the file is ignored'


def test_known_keys_give_no_warning() -> None:
    assert a_layer(PLAIN).warnings == ()


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("securty: {templates: off}", "did you mean `security`?"),
        ("Security: {templates: off}", "did you mean `security`?"),
        ("trusts: {}", "did you mean `trust`?"),
        ("limit: {max_files: 5}", "did you mean `limits`?"),
        ("security: {repository: []}", "did you mean `repositories`?"),
        ("security: {signd: tag}", "did you mean `signed`?"),
        ("limits: {max_file: 5}", "did you mean `max_files`?"),
        ("trust: {rule: []}", "did you mean `rules`?"),
        ("trust: {rules: [{bundle: b, treshold: 2, signers: [{key: k}]}]}", "did you mean `threshold`?"),
        (f"sources: [{GIT[:-1]}, sgned: tag}}]", "did you mean `signed`?"),
        (f"sources: [{GIT[:-1]}, limts: {{max_files: 5}}}}]", "did you mean `limits`?"),
        (f"sources: [{GIT[:-1]}, limits: {{max-files: 5}}}}]", "did you mean `max_files`?"),
        ("repositories: []", "put it under `security:`"),
        ("signed: tag", "put it under `security:` or on a git source"),
        ("max_file_size: 5", "put it under `limits:`"),
        ("sources: [{name: a, type: local, path: x, signed: tag}]", "or on a git source"),
        ("targets: [{source: a, destination: d, fetch_timeout: 5s}]", "put it under `limits:`"),
    ],
)
def test_a_slip_that_would_switch_a_protection_off_is_an_error(text: str, remedy: str) -> None:
    with pytest.raises(ConfigInvalid, match="unknown key") as caught:
        a_layer(text)
    assert remedy in str(caught.value.remedy)
    assert caught.value.place is not None
    assert caught.value.place.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "security: {signed: }",
        "limits: {max_files: null}",
        "trust: {rules: [{bundle: b, signers: [{key: k}], threshold: }]}",
        f"sources: [{GIT[:-1]}, signed: null}}]",
    ],
)
def test_a_protection_without_a_value_is_an_error(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="has no value"):
        a_layer(text)


@pytest.mark.parametrize("text", ["sources: []", "x: 1", "security: {note: x}", "tool_map: spec-v1"])
def test_the_policy_is_read_strictly(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="unknown key") as caught:
        a_layer(text, level="policy")
    assert caught.value.remedy
    assert str(caught.value.place).startswith("/etc/agent-sync/policy.yaml:2:")


def test_a_key_that_was_meant_for_a_missing_one_is_named() -> None:
    with pytest.raises(ConfigInvalid, match="`ref` is missing") as wrong:
        a_config("sources: [{name: r, type: git, repo: https://example.com/r.git, reff: v1}]\n")
    assert wrong.value.remedy == "did you mean `ref` where it says `reff`?"


def test_what_was_ignored_is_told_with_what_is_wrong() -> None:
    with pytest.raises(ConfigInvalid, match="unknown source") as wrong:
        a_load(f"version: 1\nsurces: [{GIT}]\ntargets: [{{source: rules, tools: [cursor]}}]\n")
    assert "did you mean `sources`?" in (wrong.value.remedy or "")
