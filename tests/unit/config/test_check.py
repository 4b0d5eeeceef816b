"""What only the whole configuration can show: references to nothing, and what a demand forbids."""

from __future__ import annotations

import pytest

from agent_sync.config import Config
from agent_sync.errors import AgentSyncError, ConfigInvalid, UnknownTool, UnsafePath, Untrusted
from agent_sync.ports import Directory, Kind
from tests.builders.configs import GIT, a_directory, a_load

RULES = f"sources: [{GIT}]\n"


def refused(
    project: str, *, user: str | None = None, policy: str | None = None, directory: Directory | None = None
) -> AgentSyncError:
    """What is raised for these files together."""
    with pytest.raises(AgentSyncError) as caught:
        a_load(project, user=user, policy=policy, directory=directory)
    return caught.value


def accepted(project: str, *, user: str | None = None, policy: str | None = None) -> Config:
    """What these files declare together."""
    return a_load(project, user=user, policy=policy).merged


def test_a_target_of_an_undeclared_source_is_refused_with_a_suggestion() -> None:
    error = refused(RULES + "targets:\n  - source: rule\n    tools: [cursor]\n")
    assert isinstance(error, ConfigInvalid)
    assert error.check == 'unknown source "rule"'
    assert error.remedy == 'did you mean "rules"?'
    assert str(error.place) == "agent-sync.yaml:4:13"


def test_a_transform_of_an_undeclared_source_is_refused() -> None:
    error = refused(RULES + "transforms: [{source: other, type: template}]")
    assert error.subject == "agent-sync.yaml, transforms[0].source"
    assert error.remedy == "choose one of: rules"


def test_a_reference_to_a_source_of_another_layer_holds() -> None:
    config = accepted("targets: [{source: rules, tools: [cursor]}]", user=RULES)
    assert [target.source for target in config.targets] == ["rules"]


def test_r005_an_unknown_tool_is_named_with_what_to_do() -> None:
    error = refused(RULES + "targets:\n  - source: rules\n    tools: [claude-code, cursr]\n")
    assert isinstance(error, UnknownTool)
    assert error.check == 'unknown tool "cursr"'
    assert error.remedy == 'did you mean "cursor"? Define your own under tool_definitions.'
    assert error.place is not None
    assert error.place.text[error.place.column - 1 :] == "cursr]"
    assert error.place.width == 5


def test_r005_a_tool_that_resembles_none_is_answered_with_those_there_are() -> None:
    error = refused(
        RULES + "targets: [{source: rules, tools: [nope]}]\ntool_definitions: [{name: ours, destination: d}]"
    )
    assert "nope" in error.check
    assert "Known are: cursor, claude-code, copilot, windsurf, cline, codex, ours." in str(error.remedy)
    assert "tool_definitions" in str(error.remedy)


def test_a_defined_tool_is_known() -> None:
    config = accepted(
        RULES + "targets: [{source: rules, tools: [ours]}]", user="tool_definitions: [{name: ours, destination: d}]"
    )
    assert config.targets[0].tools == ("ours",)


def test_r007_tools_and_a_destination_are_mutually_exclusive() -> None:
    error = refused(RULES + "targets:\n  - source: rules\n    tools: [cursor]\n    destination: d\n")
    assert isinstance(error, ConfigInvalid)
    assert "mutually exclusive" in error.check
    assert str(error.place) == "agent-sync.yaml:6:5"


@pytest.mark.parametrize("target", ["{source: rules}", "{source: rules, tools: []}"])
def test_a_target_without_a_place_is_refused(target: str) -> None:
    error = refused(RULES + f"targets: [{target}]")
    assert error.check == "names neither `tools` nor `destination`"


def test_r041_an_override_file_that_is_missing_is_an_error_of_the_configuration() -> None:
    override = "overrides: [{target: a.md, strategy: append, file: local/x.md}]"
    error = refused(override)
    assert isinstance(error, ConfigInvalid)
    assert error.check == 'the file "local/x.md" does not exist'
    assert "/project" in str(error.remedy)
    assert a_load(override, directory=a_directory("local/x.md")).merged.overrides[0].file == "local/x.md"


@pytest.mark.parametrize(
    ("kind", "family"), [(Kind.DIRECTORY, ConfigInvalid), (Kind.OTHER, ConfigInvalid), (Kind.LINK, UnsafePath)]
)
def test_an_override_file_must_be_a_regular_file(kind: Kind, family: type[AgentSyncError]) -> None:
    directory = a_directory(kinds={"x.md": kind})
    error = refused("overrides: [{target: a.md, strategy: append, file: x.md}]", directory=directory)
    assert type(error) is family
    assert error.subject == "agent-sync.yaml, overrides[0].file"


@pytest.mark.parametrize(
    ("transform", "switch"),
    [
        ("{source: rules, type: template}", "templates"),
        ("{source: rules, type: custom, command: x}", "custom_transforms"),
    ],
)
def test_r035_a_transform_that_is_switched_off_is_an_error(transform: str, switch: str) -> None:
    error = refused(RULES + f"transforms: [{transform}]", policy=f"security: {{{switch}: off}}")
    assert isinstance(error, Untrusted)
    assert f"security: {switch}: off" in error.check
    assert error.place is not None
    assert error.place.line == 3


def test_r035_switching_one_kind_off_leaves_the_other() -> None:
    config = accepted(RULES + "transforms: [{source: rules, type: custom, command: x}]\nsecurity: {templates: off}")
    assert len(config.transforms) == 1


def test_r027_a_repository_has_to_be_in_every_allow_list() -> None:
    policy = "security: {repositories: ['https://example.com/*']}"
    user = "security: {repositories: ['https://elsewhere.example/**', 'https://*/rules.git']}"
    assert accepted(RULES, user=user, policy=policy).sources
    error = refused(RULES.replace("rules.git", "other.git"), user=user, policy=policy)
    assert isinstance(error, Untrusted)
    assert error.check == 'the repository "https://example.com/other.git" is not allowed'
    assert "https://*/rules.git" in str(error.remedy)
    assert error.subject == "agent-sync.yaml, sources[0].repo"


def test_an_empty_allow_list_allows_no_repository() -> None:
    error = refused(RULES + "security: {repositories: []}")
    assert error.remedy == "allowed under `security: repositories:` is: none at all"


def test_a_source_of_a_forbidden_protocol_is_refused() -> None:
    sources = f"""
    sources:
      - {GIT}
      - {{name: p, type: url, url: 'http://example.com/p.md', checksum: sha256:{"ab" * 32}}}
      - {{name: l, type: local, path: x}}
    """
    assert accepted(sources).sources
    error = refused(sources, policy="security: {protocols: [https, file]}")
    assert isinstance(error, Untrusted)
    assert error.check == "the protocol http is not allowed (`security: protocols: [https, file]`)"
    assert error.subject == "agent-sync.yaml, sources[1].url"


def test_a_signature_that_nobody_could_give_is_refused_before_anything_is_fetched() -> None:
    error = refused(RULES, policy="security: {signed: tag}")
    assert isinstance(error, Untrusted)
    assert error.check == "a signed tag is required, but no signers are named"
    assert accepted(RULES, policy="security: {signed: tag, keyring: /k.gpg}").sources


def test_problems_of_all_kinds_and_files_are_one_error() -> None:
    error = refused(
        RULES + "targets: [{source: rules, tools: [nope]}]\noverrides: [{target: a, strategy: append, file: x}]",
        user="transforms: [{source: gone, type: template}]",
    )
    assert error.subject == "/home/me/.config/agent-sync/agent-sync.yaml, transforms[0].source"
    assert error.check.endswith("(and 2 more problems: agent-sync.yaml:3, agent-sync.yaml:4)")


def test_r050_a_source_without_a_target_is_a_warning() -> None:
    loaded = a_load(RULES)
    assert [(each.rule, each.subject) for each in loaded.warnings] == [("unused-source", "source rules")]
    assert "targets" in loaded.warnings[0].message
    assert a_load(RULES + "targets: [{source: rules, tools: [cursor]}]").warnings == ()
