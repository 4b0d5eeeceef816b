"""The models of `agent-sync.yaml` and `policy.yaml` (spec §3, §6, §7; our additions: docs/reference/configuration.md).

Each model is one mapping of the file, and the JSON Schemas in `schemas/` are generated from them. Unknown keys are
ignored here (spec §14.3) and reported by `layer`.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_type_hints

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model, field_validator

from agent_sync.config.fields import (
    CacheReference,
    CommandLine,
    Count,
    Duration,
    Name,
    OnOff,
    OutputDirectory,
    OwnKeyFile,
    ProjectPath,
    RepositoryGlob,
    SandboxedOff,
    Size,
    TrustFile,
    describe,
)
from agent_sync.errors import UnsafePath
from agent_sync.limits import Limits
from agent_sync.sources import TYPES, source_type
from agent_sync.sources.addresses import Protocol
from agent_sync.sources.base import Declaration, SignatureKind, Signers
from agent_sync.sources.fields import About, DigestText, Flag, Glob, InvalidValue, Line
from agent_sync.tree.names import project_path

# -- limits, security and trust ----------------------------------------------------------------------------------------


class ConfigModel(BaseModel):
    """A mapping of the file. Keys that it does not know are left to `unknown`."""

    # Built when a file is validated, and then as parts of the whole: each by itself would take as long again.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class LimitsConfig(ConfigModel):
    """Bounds that a file or a source sets; what it leaves out stays as it is."""

    max_file_size: Annotated[Size | None, describe("The largest single file.", example="100MB")] = None
    max_source_size: Annotated[Size | None, describe("All files of one source together.", example="1GB")] = None
    max_files: Annotated[Count | None, describe("The number of files of one source.", example=100000)] = None
    fetch_timeout: Annotated[Duration | None, describe("The longest that one fetch may take.", example="120s")] = None
    command_timeout: Annotated[Duration | None, describe("The longest that a command may run.", example="60s")] = None

    def over(self, general: Limits) -> Limits:
        """Return the general limits, replaced by these where there are any."""
        return Limits(
            max_file_size=self.max_file_size or general.max_file_size,
            max_source_size=self.max_source_size or general.max_source_size,
            max_files=self.max_files or general.max_files,
            fetch_timeout_s=self.fetch_timeout or general.fetch_timeout_s,
            command_timeout_s=self.command_timeout or general.command_timeout_s,
        )


class SecurityConfig(ConfigModel):
    """Demands that every other file can add to and none can take away."""

    templates: Annotated[OnOff, describe("`off` makes every template transform an error.")] = True
    custom_transforms: Annotated[SandboxedOff, describe("`off` makes every custom transform an error.")] = True
    repositories: Annotated[
        tuple[RepositoryGlob, ...] | None,
        describe(
            "The only repositories that git sources may name; anchored globs.", example=["https://github.com/acme/*"]
        ),
    ] = None
    protocols: Annotated[
        tuple[Protocol, ...] | None,
        describe("The only protocols that git and url sources may use.", example=["https", "ssh"]),
    ] = None
    signed: Annotated[SignatureKind | None, describe("What must be signed in every git source.", example="tag")] = None
    allowed_signers: Annotated[OwnKeyFile | None, describe("The ssh signers file for every git source.")] = None
    keyring: Annotated[OwnKeyFile | None, describe("The OpenPGP keyring for every git source.")] = None

    @property
    def signers(self) -> Signers | None:
        """Return whose signatures count, if this file says so."""
        return Signers(self.allowed_signers, self.keyring) if self.allowed_signers or self.keyring else None


class IdentitySigner(ConfigModel):
    """Someone whom an issuer vouches for."""

    identity: Annotated[Line, describe("Who signed, as the certificate says it.", example="release@example.com")]
    issuer: Annotated[
        Line,
        describe(
            "Who vouches for the identity; without it any issuer's would do.", example="https://accounts.example.com"
        ),
    ]


class KeySigner(ConfigModel):
    """The holder of a key."""

    key: Annotated[TrustFile, describe("The public key file.", example="keys/security.pub")]


def _signer_tag(value: Any) -> str | None:  # noqa: ANN401  # whatever the file holds, or a model
    if isinstance(value, KeySigner) or (isinstance(value, dict) and "key" in value and "identity" not in value):
        return "a key"
    if isinstance(value, IdentitySigner) or (isinstance(value, dict) and {"identity", "issuer"} & value.keys()):
        return "an identity"
    return None


Signer = Annotated[
    Annotated[IdentitySigner, Tag("an identity")] | Annotated[KeySigner, Tag("a key")], Discriminator(_signer_tag)
]


class TrustRule(ConfigModel):
    """Who must have signed the bundles whose names match."""

    bundle: Annotated[
        Line, describe("A glob over the name that a bundle was signed for.", example="registry.example.com/team/*")
    ]
    threshold: Annotated[Count, describe("How many different signers it takes.")] = 1
    signers: Annotated[
        tuple[Signer, ...],
        Field(min_length=1),
        describe("Whose signatures count.", example=[{"key": "keys/release.pub"}]),
    ]
    transparency_log: Annotated[Literal["required", "optional"], describe("Whether a log entry must be there.")] = (
        "required"
    )


class Revoked(ConfigModel):
    """Something that no signature makes good again."""

    digest: Annotated[Line, describe("Of an index, manifest, blob or file, or a commit.", example="sha256:0123...")]
    reason: Annotated[Line | None, describe("Why; shown where it is refused.")] = None


class TrustConfig(ConfigModel):
    """What bundles must prove before anything is taken from them."""

    require: Annotated[Literal["signed"] | None, describe("`signed` refuses bundles that no rule is for.")] = None
    root: Annotated[TrustFile | None, describe("The trusted root file.", example="trusted_root.json")] = None
    root_sha256: Annotated[DigestText | None, describe("Its digest, which pins it.", example="sha256:0123...")] = None
    rules: Annotated[tuple[TrustRule, ...], describe("All that match a bundle's name must be satisfied.")] = ()
    revoked: Annotated[tuple[Revoked, ...], describe("What is refused whoever signed it.")] = ()


class BundleConfig(ConfigModel):
    """What bundles made from this configuration are called."""

    name: Annotated[Name, describe("The name that signatures are bound to.", example="acme/agents")]


# -- the files ---------------------------------------------------------------------------------------------------------

VERSION = 1

Allowance = Literal["executable-config", "hidden-unicode"]


class SourceConfig(ConfigModel):
    """What every source may say; the rest of a source's model is the declaration of its type."""

    name: Annotated[Name, describe("What targets, transforms and the command line call it.", example="base-rules")]
    limits: Annotated[LimitsConfig | None, describe("Bounds for this source; they only lower the general ones.")] = None
    allow: Annotated[tuple[Allowance, ...], describe("What the content gate would otherwise refuse in it.")] = ()
    type: str

    @property
    def declaration(self) -> Declaration:
        """Which files are wanted, and from where."""
        declared: type[Declaration] = source_type(self.type).declaration
        return declared(**{each.name: getattr(self, each.name) for each in fields(declared)})


def _source_model(name: str) -> type[SourceConfig]:
    """Make the model of one source type from its declaration."""
    declared: type[Declaration] = source_type(name).declaration
    hints = get_type_hints(declared, include_extras=True)
    parts: dict[str, Any] = {each.name: (hints[each.name], _field_info(each, hints)) for each in fields(declared)}
    only_name: Any = Literal.__getitem__(name)
    return create_model(
        declared.title,
        __base__=SourceConfig,
        __doc__=declared.__doc__,
        __module__=__name__,
        type=(only_name, name),
        **parts,
    )


def _field_info(field: dataclasses.Field[Any], hints: Mapping[str, Any]) -> Any:  # noqa: ANN401  # pydantic's `Field`
    about = next((each for each in hints[field.name].__metadata__ if isinstance(each, About)), About(""))
    return Field(
        ... if field.default is dataclasses.MISSING else field.default,
        description=about.description,
        examples=None if about.example is None else [about.example],
    )


SOURCE_MODELS: Mapping[str, type[SourceConfig]] = {name: _source_model(name) for name in TYPES}
"""The model of each source type, by the name in `type:`."""

if TYPE_CHECKING:
    Source = SourceConfig
else:
    Source = Annotated[Union[tuple(SOURCE_MODELS.values())], Field(discriminator="type")]  # noqa: UP007


class ToolDefinition(ConfigModel):
    """A tool of one's own, or another place for a built-in one (spec §3.2)."""

    name: Annotated[Name, describe("What targets call it.", example="internal-agent")]
    destination: Annotated[OutputDirectory, describe("The directory that it reads.", example=".internal/agent-config/")]


class Target(ConfigModel):
    """Where a source's files go: to tools or to a directory, never both (spec §7)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["tools"]}, {"required": ["destination"]}]})

    source: Annotated[Line, describe("The name of a source.", example="base-rules")]
    tools: Annotated[
        tuple[Line, ...], describe("Tools whose directories get the files.", example=["cursor", "claude-code"])
    ] = ()
    destination: Annotated[
        OutputDirectory | None, describe("A directory, used as it is.", example=".custom/rules/")
    ] = None
    shared: Annotated[Flag, describe("Whether other files may live there: then they are listed, not drift.")] = False


class Override(ConfigModel):
    """A file of the project put before, after or in place of an output (spec §6.2)."""

    target: Annotated[Line, describe("A file name, or with a `/` one output path.", example="security.md")]
    strategy: Annotated[Literal["append", "prepend", "replace"], describe("What to do.", example="append")]
    file: Annotated[ProjectPath, describe("Relative to the project root.", example="local/security-extension.md")]

    @field_validator("target")
    @classmethod
    def _stay_inside(cls, target: str) -> str:
        try:
            project_path(target, subject="")
        except UnsafePath as error:
            raise InvalidValue.of(error, "name an output: a file name, or a path below the project root") from error
        return target


class TemplateTransform(ConfigModel):
    """Go `text/template` over a source's text files (spec §6.1)."""

    type: Literal["template"] = "template"
    source: Annotated[Line, describe("The name of a source.", example="base-rules")]
    vars: Annotated[dict[Line, Any], describe("Values over `variables`; texts are rendered once against them.")] = (
        Field(default_factory=dict)
    )
    include: Annotated[tuple[Glob, ...], describe("Globs over file keys; every text file if there are none.")] = ()
    exclude: Annotated[tuple[Glob, ...], describe("Globs over file keys that stay as they are.")] = ()


class CustomTransform(ConfigModel):
    """A command that makes a source's files from a source's files, in a sandbox (spec §6.3)."""

    type: Literal["custom"] = "custom"
    source: Annotated[Line, describe("The name of a source.", example="team-standards")]
    command: Annotated[
        CommandLine, describe("Split as a shell would, run without one.", example="./scripts/merge.sh --all")
    ]
    reads: Annotated[
        tuple[ProjectPath, ...], describe("Further paths that it may read.", example=["scripts/lib/"])
    ] = ()
    output_hash: Annotated[DigestText | None, describe("The digest of the canonical tar of its output.")] = None

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command line, split."""
        return tuple(shlex.split(self.command))


Transform = Annotated[TemplateTransform | CustomTransform, Field(discriminator="type")]


class ConfigFile(ConfigModel):
    """One `agent-sync.yaml`."""

    version: Annotated[Literal[1], describe("The version of the specification.", example=1)]
    tool_map: Annotated[
        Literal["spec-v1", "2026-11"] | None, describe("The built-in tool map; `spec-v1` if left out.")
    ] = None
    limits: Annotated[LimitsConfig, describe("Bounds for every source.")] = Field(
        default_factory=LimitsConfig.model_construct
    )
    security: Annotated[SecurityConfig, describe("Demands that other files can only add to.")] = Field(
        default_factory=SecurityConfig.model_construct
    )
    variables: Annotated[dict[Line, Any], describe("What templates see.")] = Field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], describe("Where files come from.")] = ()
    tool_definitions: Annotated[tuple[ToolDefinition, ...], describe("Tools of one's own.")] = ()
    targets: Annotated[tuple[Target, ...], describe("Where files go.")] = ()
    overrides: Annotated[tuple[Override, ...], describe("What the project adds to single outputs, in order.")] = ()
    transforms: Annotated[tuple[Transform, ...], describe("What is made of a source's files, in order.")] = ()
    caches: Annotated[
        tuple[CacheReference, ...], describe("Places asked for missing bytes before upstream, in order.")
    ] = ()
    bundle: Annotated[BundleConfig | None, describe("What bundles of this configuration are called.")] = None
    trust: Annotated[TrustConfig | None, describe("What bundles must prove.")] = None


class PolicyFile(ConfigModel):
    """The machine's policy: what every project on it must satisfy."""

    version: Annotated[Literal[1], describe("The version of the specification.")] = 1
    limits: Annotated[LimitsConfig, describe("Bounds that no configuration can raise.")] = Field(
        default_factory=LimitsConfig.model_construct
    )
    security: Annotated[SecurityConfig, describe("Demands on every configuration.")] = Field(
        default_factory=SecurityConfig.model_construct
    )
    trust: Annotated[TrustConfig | None, describe("What bundles must prove.")] = None
