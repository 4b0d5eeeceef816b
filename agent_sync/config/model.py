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
    """A mapping of the file. Unknown keys are left to `layer`."""

    # Built when a file is validated, and then as parts of the whole: each by itself would take as long again.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class LimitsConfig(ConfigModel):
    """The limits of a file or a source; a limit that is left out is unchanged."""

    max_file_size: Annotated[Size | None, describe("The size of any one file.", example="100MB")] = None
    max_source_size: Annotated[Size | None, describe("The total size of one source.", example="1GB")] = None
    max_files: Annotated[Count | None, describe("The number of files in one source.", example=100000)] = None
    fetch_timeout: Annotated[Duration | None, describe("How long one fetch may take.", example="120s")] = None
    command_timeout: Annotated[Duration | None, describe("How long a custom command may run.", example="60s")] = None

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
    """Requirements that other files can add to and cannot remove."""

    templates: Annotated[OnOff, describe("`off` makes every template transform an error.")] = True
    custom_transforms: Annotated[SandboxedOff, describe("`off` makes every custom transform an error.")] = True
    repositories: Annotated[
        tuple[RepositoryGlob, ...] | None,
        describe(
            "The only repositories that git sources may use: globs for the whole address.",
            example=["https://github.com/acme/*"],
        ),
    ] = None
    protocols: Annotated[
        tuple[Protocol, ...] | None,
        describe("The only protocols that git and URL sources may use.", example=["https", "ssh"]),
    ] = None
    signed: Annotated[SignatureKind | None, describe("What must be signed in every git source.", example="tag")] = None
    allowed_signers: Annotated[OwnKeyFile | None, describe("The SSH allowed-signers file for every git source.")] = None
    keyring: Annotated[OwnKeyFile | None, describe("The OpenPGP keyring for every git source.")] = None

    @property
    def signers(self) -> Signers | None:
        """Return whose signatures count, if this file names them."""
        return Signers(self.allowed_signers, self.keyring) if self.allowed_signers or self.keyring else None


class IdentitySigner(ConfigModel):
    """A signer with an identity that an issuer certifies."""

    identity: Annotated[
        Line, describe("The identity of the signer, as in the certificate.", example="release@example.com")
    ]
    issuer: Annotated[
        Line,
        describe("The issuer that must have certified the identity.", example="https://accounts.example.com"),
    ]


class KeySigner(ConfigModel):
    """A signer with a key."""

    key: Annotated[TrustFile, describe("The file of the public key.", example="keys/security.pub")]


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
        Line, describe("A glob for the name that a bundle was signed for.", example="registry.example.com/team/*")
    ]
    threshold: Annotated[Count, describe("How many different signers must have signed.")] = 1
    signers: Annotated[
        tuple[Signer, ...],
        Field(min_length=1),
        describe("Whose signatures count.", example=[{"key": "keys/release.pub"}]),
    ]
    transparency_log: Annotated[
        Literal["required", "optional"], describe("Whether the signature must be in a transparency log.")
    ] = "required"


class Revoked(ConfigModel):
    """A digest that is refused, whoever signed it."""

    digest: Annotated[
        Line,
        describe("The digest of an index, manifest, blob, or file, or the id of a commit.", example="sha256:0123..."),
    ]
    reason: Annotated[Line | None, describe("The reason, which the error shows.")] = None


class TrustConfig(ConfigModel):
    """What bundles must prove before anything is fetched from them."""

    require: Annotated[Literal["signed"] | None, describe("`signed` refuses bundles that match no rule.")] = None
    root: Annotated[TrustFile | None, describe("The trusted root file.", example="trusted_root.json")] = None
    root_sha256: Annotated[
        DigestText | None, describe("The digest of the trusted root file, which pins it.", example="sha256:0123...")
    ] = None
    rules: Annotated[tuple[TrustRule, ...], describe("Every rule that matches a bundle's name must be satisfied.")] = ()
    revoked: Annotated[tuple[Revoked, ...], describe("Digests that are refused, whoever signed them.")] = ()


class BundleConfig(ConfigModel):
    """How bundles made from this configuration are named."""

    name: Annotated[Name, describe("The name that signatures are bound to.", example="acme/agents")]


# -- the files ---------------------------------------------------------------------------------------------------------

VERSION = 1

Allowance = Literal["executable-config", "hidden-unicode"]


class SourceConfig(ConfigModel):
    """The keys of every source; its type declares the others."""

    name: Annotated[Name, describe("The name used by targets, transforms, and the command line.", example="base-rules")]
    limits: Annotated[
        LimitsConfig | None, describe("Limits for this source; they can only lower the general limits.")
    ] = None
    allow: Annotated[tuple[Allowance, ...], describe("Content that the content gate would otherwise refuse.")] = ()
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
    """A tool of your own, or another directory for a built-in tool (spec §3.2)."""

    name: Annotated[Name, describe("The name used by targets.", example="internal-agent")]
    destination: Annotated[
        OutputDirectory, describe("The directory that the tool reads.", example=".internal/agent-config/")
    ]


class Target(ConfigModel):
    """Where a source's files go: to tools or to a directory, never both (spec §7)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["tools"]}, {"required": ["destination"]}]})

    source: Annotated[Line, describe("The name of a source.", example="base-rules")]
    tools: Annotated[
        tuple[Line, ...], describe("Tools whose directories receive the files.", example=["cursor", "claude-code"])
    ] = ()
    destination: Annotated[
        OutputDirectory | None, describe("A directory, used unchanged.", example=".custom/rules/")
    ] = None
    shared: Annotated[
        Flag, describe("Whether the directory may hold other files; they are listed and are not drift.")
    ] = False


class Override(ConfigModel):
    """A file of the project that is put before, after, or in place of an output (spec §6.2)."""

    target: Annotated[Line, describe("A file name or, with a `/`, the path of one output.", example="security.md")]
    strategy: Annotated[
        Literal["append", "prepend", "replace"], describe("How the file changes the output.", example="append")
    ]
    file: Annotated[
        ProjectPath, describe("A file, relative to the project root.", example="local/security-extension.md")
    ]

    @field_validator("target")
    @classmethod
    def _stay_inside(cls, target: str) -> str:
        try:
            project_path(target, subject="")
        except UnsafePath as error:
            raise InvalidValue.of(error, "name an output: a file name, or a path below the project root") from error
        return target


class TemplateTransform(ConfigModel):
    """Render a source's text files as Go templates (spec §6.1)."""

    type: Literal["template"] = "template"
    source: Annotated[Line, describe("The name of a source.", example="base-rules")]
    vars: Annotated[
        dict[Line, Any], describe("Values that take precedence over `variables`; texts among them are rendered once.")
    ] = Field(default_factory=dict)
    include: Annotated[
        tuple[Glob, ...], describe("Globs for the names of files to render; by default every text file.")
    ] = ()
    exclude: Annotated[tuple[Glob, ...], describe("Globs for the names of files that stay unchanged.")] = ()


class CustomTransform(ConfigModel):
    """A command in a sandbox that derives new files from a source's files (spec §6.3)."""

    type: Literal["custom"] = "custom"
    source: Annotated[Line, describe("The name of a source.", example="team-standards")]
    command: Annotated[
        CommandLine,
        describe(
            "The command line: split like a shell command, run without a shell.", example="./scripts/merge.sh --all"
        ),
    ]
    reads: Annotated[
        tuple[ProjectPath, ...], describe("Additional paths that the command may read.", example=["scripts/lib/"])
    ] = ()
    output_hash: Annotated[DigestText | None, describe("The digest of the canonical tar of the command's output.")] = (
        None
    )

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command line, split."""
        return tuple(shlex.split(self.command))


Transform = Annotated[TemplateTransform | CustomTransform, Field(discriminator="type")]


class ConfigFile(ConfigModel):
    """One `agent-sync.yaml`."""

    version: Annotated[Literal[1], describe("The version of the specification.", example=1)]
    tool_map: Annotated[
        Literal["spec-v1", "2026-11"] | None, describe("The built-in tool map; by default `spec-v1`.")
    ] = None
    limits: Annotated[LimitsConfig, describe("Limits for every source.")] = Field(
        default_factory=LimitsConfig.model_construct
    )
    security: Annotated[SecurityConfig, describe("Requirements that other files can only add to.")] = Field(
        default_factory=SecurityConfig.model_construct
    )
    variables: Annotated[dict[Line, Any], describe("The data of templates.")] = Field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], describe("Where files come from.")] = ()
    tool_definitions: Annotated[
        tuple[ToolDefinition, ...], describe("Your own tools, or other directories for built-in tools.")
    ] = ()
    targets: Annotated[tuple[Target, ...], describe("Where files go.")] = ()
    overrides: Annotated[
        tuple[Override, ...], describe("Changes to single outputs by files of the project, in order.")
    ] = ()
    transforms: Annotated[tuple[Transform, ...], describe("How the files of a source are changed, in order.")] = ()
    caches: Annotated[
        tuple[CacheReference, ...],
        describe("References asked before upstream for content that is not cached, in order."),
    ] = ()
    bundle: Annotated[BundleConfig | None, describe("The name of bundles made from this configuration.")] = None
    trust: Annotated[TrustConfig | None, describe("What bundles must prove.")] = None


class PolicyFile(ConfigModel):
    """The machine's policy: what every project on the machine must satisfy."""

    version: Annotated[Literal[1], describe("The version of the specification.")] = 1
    limits: Annotated[LimitsConfig, describe("Limits that no configuration can raise.")] = Field(
        default_factory=LimitsConfig.model_construct
    )
    security: Annotated[SecurityConfig, describe("Requirements for every configuration.")] = Field(
        default_factory=SecurityConfig.model_construct
    )
    trust: Annotated[TrustConfig | None, describe("What bundles must prove.")] = None
