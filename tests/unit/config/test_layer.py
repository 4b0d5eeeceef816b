"""One file: the spec's example means what it says, and everything wrong has its line, its check and its remedy."""

from __future__ import annotations

import pytest

from agent_sync.config.model import CustomTransform, TemplateTransform
from agent_sync.errors import AgentSyncError, ConfigInvalid, UnsafePath
from agent_sync.sources.git import GitDeclaration
from agent_sync.sources.local import LocalDeclaration
from agent_sync.sources.url import UrlDeclaration
from tests.builders.configs import a_config, a_layer, a_source

SUM = "sha256:" + "ab" * 32

SPEC_EXAMPLE = f"""
version: 1

variables:
  project: my-project
  language: go

sources:

  - name: base-rules
    type: git
    repo: https://github.com/org/rules.git
    ref: v1.2.0
    paths:
      - core/

  - name: security-policy
    type: url
    url: https://example.com/policy.md
    checksum: {SUM}

  - name: team-standards
    type: local
    path: ./agents/standards/

targets:

  - source: base-rules
    tools: [cursor, claude-code, copilot]

  - source: team-standards
    destination: .custom/agents/

overrides:

  - target: security.md
    strategy: append
    file: local/security-extension.md

transforms:

  - source: base-rules
    type: template
    vars:
      project: "{{{{ .project }}}}"

  - source: team-standards
    type: custom
    command: "./scripts/merge-yaml.sh --all"
    output_hash: {SUM}
"""


def refused(text: str) -> AgentSyncError:
    """What is raised for the file."""
    with pytest.raises(AgentSyncError) as caught:
        a_layer(text)
    return caught.value


def test_the_example_of_the_spec_is_read() -> None:
    config = a_config(SPEC_EXAMPLE)
    assert config.variables == {"project": "my-project", "language": "go"}
    assert config.sources == (
        a_source("git", name="base-rules", repo="https://github.com/org/rules.git", ref="v1.2.0", paths=("core/",)),
        a_source("url", name="security-policy", url="https://example.com/policy.md", checksum=SUM),
        a_source("local", name="team-standards", path="./agents/standards/"),
    )
    assert [(each.source, each.tools, each.destination) for each in config.targets] == [
        ("base-rules", ("cursor", "claude-code", "copilot"), None),
        ("team-standards", (), ".custom/agents"),
    ]
    assert [(each.target, each.strategy, each.file) for each in config.overrides] == [
        ("security.md", "append", "local/security-extension.md")
    ]
    template, custom = config.transforms
    assert isinstance(template, TemplateTransform)
    assert template.vars == {"project": "{{ .project }}"}
    assert isinstance(custom, CustomTransform)
    assert custom.words == ("./scripts/merge-yaml.sh", "--all")


def test_declared_paths_of_sources_are_kept_as_they_are_spelt_for_the_lock() -> None:
    config = a_config(
        """
        sources:
          - {name: g, type: git, repo: ../r.git, ref: main, paths: [./core/, docs], root: ./core/}
          - {name: l, type: local, path: ./agents/}
          - {name: o, type: local, path: ../shared, outside_root: true}
          - {name: a, type: local, path: /srv/shared, outside_root: true}
        """
    )
    git, inside, outside, absolute = (source.declaration for source in config.sources)
    assert isinstance(git, GitDeclaration)
    assert git.paths == ("./core/", "docs")
    assert git.root == "./core/"
    assert isinstance(inside, LocalDeclaration)
    assert (inside.path, inside.inside) == ("./agents/", "agents")
    assert isinstance(outside, LocalDeclaration)
    assert isinstance(absolute, LocalDeclaration)
    assert (outside.inside, absolute.inside) == (None, None)


def test_a_key_without_a_value_is_as_good_as_none() -> None:
    config = a_config("sources:\ntargets:\nlimits:\nvariables: {a: , b: {c: }}\nbundle:\n")
    assert config == a_config("variables: {a: null, b: {c: null}}")
    assert config.variables == {"a": None, "b": {"c": None}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: []\n# no version", "`version` is missing"),
        ("version: '1'", 'the number 1, not the text "1"'),
        ("version: true", "must be the number 1"),
        ("version: 1.0", "must be the number 1"),
        ("version: [1]", "must be the number 1"),
    ],
)
def test_r111_a_version_that_is_no_integer_is_refused(text: str, said: str) -> None:
    error = refused(text)
    assert isinstance(error, ConfigInvalid)
    assert said in error.check
    assert "version: 1" in str(error.remedy)


@pytest.mark.parametrize("version", ["0", "2", "-1", "99"])
def test_r113_an_unrecognised_version_is_refused_before_anything_else_is_said(version: str) -> None:
    error = refused(f"sources: 5\nversion: {version}")
    assert error.check == f"version {version} is not known; this agent-sync reads version 1"
    assert str(error.place) == "agent-sync.yaml:2:10"


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("sources: 5", "sources", "must be a list, not the number 5"),
        ("sources: [text]", "sources[0]", 'must be a mapping of keys to values, not the text "text"'),
        ("sources: [{name: a}]", "sources[0]", "`type` is missing"),
        ("sources: [{name: a, type: oci}]", "sources[0].reference", "`reference` is missing"),
        ("sources: [{name: a, type: oci, reference: 'h.example/r'}]", "sources[0].reference", "neither a tag nor"),
        ("sources: [{name: a, type: oci, reference: 'oci:dir:v1'}]", "sources[0].reference", "no registry"),
        ("sources: [{name: a, type: gti}]", "sources[0].type", 'must be `git`, `url`, `local`, or `oci`, not "gti"'),
        ("sources: [{name: a, type: git, repo: 'https://h/r'}]", "sources[0].ref", "`ref` is missing"),
        ("sources: [{name: a, type: git, repo: 'https://h/r', ref: 1.0}]", "sources[0].ref", "not the number 1.0"),
        ("sources: [{name: a, type: git, repo: 'https://h/r', ref: -v}]", "sources[0].ref", "begins with a dash"),
        ("sources: [{name: a, type: git, repo: 'https://h/r', ref: 'a b'}]", "sources[0].ref", "a space in it"),
        ('sources: [{name: a, type: git, repo: r, ref: "a\\nb"}]', "sources[0].ref", "U+000A"),
        ("sources: [{name: a, type: git, repo: 'ext::sh -c id', ref: v}]", "sources[0].repo", "none of the protocols"),
        ("sources: [{name: a, type: url, url: 'file:///x', checksum: x}]", "sources[0].url", "https:// or http://"),
        ("sources: [{name: a, type: local, path: x, outside_root: 'yes'}]", "sources[0].outside_root", "true or false"),
        ("sources: [{name: a, type: local, path: x, allow: [all]}]", "sources[0].allow[0]", "`executable-config`"),
        ("sources: [{name: '', type: local, path: x}]", "sources[0].name", "is empty"),
        ("sources: [{name: -a, type: local, path: x}]", "sources[0].name", "begins with a dash"),
        ("sources: [{name: 5, type: local, path: x}]", "sources[0].name", "must be text, not the number 5"),
        ("sources: [{name: a, type: local, path: x, exclude: ['[z-a]']}]", "sources[0].exclude[0]", "character range"),
        ("targets: [{source: a, tools: cursor}]", "targets[0].tools", 'must be a list, not the text "cursor"'),
        ("targets: [{source: a, tools: [null]}]", "targets[0].tools[0]", "must be text, not empty"),
        ("targets: [{tools: [cursor]}]", "targets[0].source", "`source` is missing"),
        ("overrides: [{target: a, strategy: apend, file: b}]", "overrides[0].strategy", 'not "apend"'),
        ("overrides: [{target: a, strategy: append}]", "overrides[0].file", "`file` is missing"),
        ('transforms: [{source: a, type: custom, command: "x \'y"}]', "transforms[0].command", "no closing quotation"),
        ("transforms: [{source: a, type: custom, command: false}]", "transforms[0].command", "not false"),
        ("transforms: [{source: a, type: go}]", "transforms[0].type", "must be `template` or `custom`"),
        ("transforms: [{source: a}]", "transforms[0]", "`type` is missing"),
        ("tool_map: spec-v9", "tool_map", 'must be `spec-v1` or `2026-11`, not "spec-v9"'),
        ("limits: {max_file_size: 10 apples}", "limits.max_file_size", '"10 apples" is not a size'),
        ("limits: {max_file_size: true}", "limits.max_file_size", "is not a size"),
        ("limits: {max_files: 0}", "limits.max_files", "must be at least 1"),
        ("limits: {fetch_timeout: 1h}", "limits.fetch_timeout", '"1h" is not a duration'),
        ("security: {templates: maybe}", "security.templates", "must be `on` or `off`"),
        ("security: {custom_transforms: on}", "security.custom_transforms", "`sandboxed` or `off`"),
        ("security: {protocols: [htps]}", "security.protocols[0]", '"htps"'),
        ("security: {signed: yes}", "security.signed", "must be `tag` or `commit`"),
        ("security: {repositories: [github.com/acme/*]}", "security.repositories[0]", "would match nothing"),
        ("trust: {rules: [{bundle: x, signers: []}]}", "trust.rules[0].signers", "must not be empty"),
        ("trust: {rules: [{bundle: x, signers: [{identity: a}]}]}", "trust.rules[0].signers[0].issuer", "is missing"),
        ("trust: {rules: [{bundle: x, signers: [{}]}]}", "trust.rules[0].signers[0]", "neither an identity nor a key"),
        ("variables: {'': 1}", 'variables.""', "is empty"),
    ],
)
def test_r112_what_is_not_as_the_schema_says_is_refused_with_its_spot(text: str, path: str, said: str) -> None:
    error = refused(text)
    assert isinstance(error, ConfigInvalid)
    assert error.subject == f"agent-sync.yaml, {path}"
    assert said in error.check
    assert error.place is not None
    assert error.place.line == 2


def test_r028_a_url_source_without_a_checksum_is_refused_with_what_to_add() -> None:
    error = refused("sources:\n  - name: policy\n    type: url\n    url: https://example.com/p.md\n")
    assert error.check == "`checksum` is missing"
    assert "checksum: sha256:" in str(error.remedy)
    assert error.place is not None
    assert error.place.line == 3


def test_x18_upper_case_digits_of_a_checksum_are_accepted_and_normalised() -> None:
    config = a_config(f"sources: [{{name: a, type: url, url: 'https://h/p', checksum: {SUM.upper()}}}]")
    (source,) = config.sources
    assert source.declaration == UrlDeclaration(url="https://h/p", checksum=SUM)


@pytest.mark.parametrize(
    "checksum", ["sha256:abc", "md5:" + "ab" * 32, "ab" * 32, "sha256:" + "zz" * 32, "sha256:../../x"]
)
def test_a_checksum_that_is_no_sha256_is_refused(checksum: str) -> None:
    error = refused(f"sources: [{{name: a, type: url, url: 'https://h/p', checksum: '{checksum}'}}]")
    assert "must be `sha256:` and 64 hexadecimal digits" in error.check


@pytest.mark.parametrize(
    "text",
    [
        "sources: [{name: ../a, type: local, path: x}]",
        "sources: [{name: a, type: local, path: ../x}]",
        "sources: [{name: a, type: local, path: /x}]",
        "sources: [{name: a, type: git, repo: r, ref: v, paths: [../x]}]",
        "sources: [{name: a, type: git, repo: r, ref: v, root: /x}]",
        "sources: [{name: a, type: git, repo: r, ref: v, exclude: [../x]}]",
        "sources: [{name: a, type: git, repo: r, ref: v, allowed_signers: /etc/keys}]",
        "sources: [{name: a, type: git, repo: r, ref: v, keyring: ../keys}]",
        "tool_definitions: [{name: a, destination: ../x}]",
        "tool_definitions: [{name: a, destination: .git/hooks}]",
        "targets: [{source: a, destination: ../x}]",
        "targets: [{source: a, destination: a/../../x}]",
        "targets: [{source: a, destination: /tmp/x}]",
        "targets: [{source: a, destination: .git/}]",
        "targets: [{source: a, destination: .agent-sync/}]",
        "targets: [{source: a, destination: agent-sync.lock}]",
        "overrides: [{target: ../x, strategy: append, file: a}]",
        "overrides: [{target: x, strategy: append, file: ../a}]",
        "overrides: [{target: x, strategy: append, file: /etc/passwd}]",
        "transforms: [{source: a, type: template, include: [/x]}]",
        "transforms: [{source: a, type: custom, command: ../x}]",
        "transforms: [{source: a, type: custom, command: /tmp/x}]",
        "transforms: [{source: a, type: custom, command: x, reads: [../y]}]",
        "security: {allowed_signers: /etc/keys}",
    ],
)
def test_r002_a_declared_path_that_leaves_the_root_is_refused_with_its_spot(text: str) -> None:
    error = refused(text)
    assert isinstance(error, UnsafePath)
    assert error.subject.startswith("agent-sync.yaml, ")
    assert error.remedy
    assert error.place is not None
    assert (error.place.file, error.place.line) == ("agent-sync.yaml", 2)
    assert error.place.column > len("targets: [")


@pytest.mark.parametrize(
    "keys",
    [
        "type: git, ref: v, repo: 'https://me:hunter2@h/r'",
        "type: git, ref: v, repo: 'me:hunter2@h/r'",
        f"type: url, checksum: '{SUM}', url: 'https://me:hunter2@h/p'",
    ],
)
def test_a_password_in_an_address_is_an_error_that_does_not_repeat_it(keys: str) -> None:
    error = refused(f"sources: [{{name: a, {keys}}}]")
    assert isinstance(error, ConfigInvalid)
    assert "netrc" in str(error.remedy)
    assert "credential helper" in str(error.remedy)
    assert (
        "hunter2"
        not in f"{error.subject} {error.check} {error.remedy} {error.place} {error.place and error.place.text}"
    )


def test_a_password_is_not_repeated_by_an_error_about_something_else_in_its_line() -> None:
    error = refused("sources: [{name: a, type: git, ref: 5, repo: 'https://me:hunter2@h/r'}]")
    assert error.place is not None
    assert "ref" in error.place.text
    assert "hunter2" not in error.place.text


def test_what_is_hidden_of_a_line_moves_no_caret() -> None:
    error = refused("sources: [{name: a, type: git, repo: 'https://me@h/r?token=abc', ref: 5}]")
    assert error.place is not None
    assert error.place.text[error.place.column - 1 :] == "5}]"
    assert "'https://me@h/r?token=***', ref" in error.place.text


def test_a_name_that_is_declared_twice_is_refused_with_both_lines() -> None:
    error = refused("sources:\n  - {name: a, type: local, path: x}\n  - {name: a, type: local, path: y}\n")
    assert error.subject == "agent-sync.yaml, sources[1].name"
    assert error.check == 'the name "a" is taken: see line 3'
    error = refused("tool_definitions: [{name: t, destination: x}, {name: t, destination: y}]")
    assert "is taken" in error.check


def test_several_problems_are_one_error_for_the_first_that_names_the_others() -> None:
    error = refused("targets:\n  - source: a\n    tools: 5\nlimits: {max_files: 0}\nsources: 5\n")
    assert error.subject == "agent-sync.yaml, targets[0].tools"
    assert error.check.endswith("(and 2 more problems: agent-sync.yaml:5, agent-sync.yaml:6)")


def test_untrusted_text_is_escaped_in_an_error() -> None:
    error = refused('targets: [{source: a, destination: "a\\e[31mb"}]')
    assert "\x1b" not in error.check
    assert "\\x1b" in error.check
