"""What an `agent-sync.yaml` says, as frozen models (spec §3, §6, §7; our additions: docs/reference/configuration.md).

Each model is one mapping of the file, and the JSON Schema in `schemas/` is generated from them. Unknown keys are
ignored here (spec §14.3) and reported by `unknown`.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from agent_sync.config.fields import (
    ArtifactReference,
    CachePlace,
    CommandLine,
    DeclaredPath,
    DigestText,
    Flag,
    Glob,
    KeyFile,
    Line,
    Name,
    OutputFolder,
    ProjectPath,
    Ref,
    Repository,
    Url,
    about,
    unsafe,
)
from agent_sync.config.paths import project_path
from agent_sync.config.safeguards import Signed, Signers
from agent_sync.config.security import Bundle, LimitSettings, Part, Security, Trust
from agent_sync.errors import UnsafePath
from agent_sync.tree.names import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import RegistryPlace, parse_place

VERSION = 1

Allowance = Literal["executable-config", "hidden-unicode"]


class _Source(Part):
    name: Annotated[Name, about("What targets, transforms and the command line call it.", example="base-rules")]
    limits: Annotated[LimitSettings | None, about("Bounds for this source; they only lower the general ones.")] = None
    allow: Annotated[tuple[Allowance, ...], about("What the content gate would otherwise refuse in it.")] = ()


class GitSource(_Source):
    """Files of a git repository at one ref (spec §5.1)."""

    type: Literal["git"] = "git"
    repo: Annotated[Repository, about("The repository's address.", example="https://github.com/org/rules.git")]
    ref: Annotated[Ref, about("A tag, branch or commit.", example="v1.2.0")]
    paths: Annotated[tuple[DeclaredPath, ...], about("Only these files and folders.", example=["core/"])] = ()
    exclude: Annotated[
        tuple[Glob, ...], about("Globs over repository paths; not looked at.", example=["**/*.png"])
    ] = ()
    root: Annotated[DeclaredPath | None, about("The folder that file keys are relative to.", example="core/")] = None
    signed: Annotated[Signed | None, about("What must be signed.", example="tag")] = None
    allowed_signers: Annotated[KeyFile | None, about("The ssh signers file.", example="keys/allowed_signers")] = None
    keyring: Annotated[KeyFile | None, about("The OpenPGP keyring.", example="keys/release.gpg")] = None

    @property
    def signers(self) -> Signers | None:
        """Whose signatures the source itself names."""
        return Signers(self.allowed_signers, self.keyring) if self.allowed_signers or self.keyring else None


class UrlSource(_Source):
    """One file behind an address, pinned by its digest (spec §5.2)."""

    type: Literal["url"] = "url"
    url: Annotated[Url, about("The file's address.", example="https://example.com/policy.md")]
    checksum: Annotated[DigestText, about("The sha256 that its bytes must have.", example="sha256:9f86d081...")]


class LocalSource(_Source):
    """A file or folder of this machine (spec §5.3)."""

    type: Literal["local"] = "local"
    outside_root: Annotated[Flag, about("Whether `path` may lie outside the project root.")] = False
    path: Annotated[Line, about("Relative to the project root.", example="./agents/standards/")]
    exclude: Annotated[tuple[Glob, ...], about("Globs over its files; not looked at.", example=["**/*.png"])] = ()

    @property
    def inside(self) -> RelPath | None:
        """`path`, normalised; None if it lies outside the root, where `outside_root` lets it."""
        try:
            return project_path(self.path, subject=f"source {self.name}")
        except UnsafePath:
            return None

    @field_validator("path")
    @classmethod
    def _stay_inside(cls, path: str, info: ValidationInfo) -> str:
        if not info.data.get("outside_root"):
            try:
                project_path(path, subject="")
            except UnsafePath as error:
                remedy = "name a path below the project root, or add `outside_root: true` if it is meant to lie outside"
                raise unsafe(error, remedy) from error
        return path


class OciSource(_Source):
    """The files of an artifact in a registry, whatever program has put it there (our addition)."""

    type: Literal["oci"] = "oci"
    reference: Annotated[
        ArtifactReference, about("The artifact in its registry.", example="registry.example.com/team/rules:v1")
    ]
    digest: Annotated[DigestText | None, about("The sha256 of its manifest, which pins it.")] = None
    exclude: Annotated[tuple[Glob, ...], about("Globs over its files; not looked at.", example=["**/*.png"])] = ()

    @property
    def place(self) -> RegistryPlace:
        """Where the artifact is, with the digest, if there is one."""
        place = parse_place(self.reference)
        assert isinstance(place, RegistryPlace)
        return place if self.digest is None else replace(place, digest=Digest.parse(self.digest))


Source = Annotated[GitSource | UrlSource | LocalSource | OciSource, Field(discriminator="type")]


class ToolDefinition(Part):
    """A tool of one's own, or another place for a built-in one (spec §3.2)."""

    name: Annotated[Name, about("What targets call it.", example="internal-agent")]
    destination: Annotated[OutputFolder, about("The folder that it reads.", example=".internal/agent-config/")]


class Target(Part):
    """Where a source's files go: to tools or to a folder, never both (spec §7)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["tools"]}, {"required": ["destination"]}]})

    source: Annotated[Line, about("The name of a source.", example="base-rules")]
    tools: Annotated[
        tuple[Line, ...], about("Tools whose folders get the files.", example=["cursor", "claude-code"])
    ] = ()
    destination: Annotated[OutputFolder | None, about("A folder, used as it is.", example=".custom/rules/")] = None
    shared: Annotated[Flag, about("Whether other files may live there: then they are listed, not drift.")] = False


class Override(Part):
    """A file of the project put before, after or in place of an output (spec §6.2)."""

    target: Annotated[Line, about("A file name, or with a `/` one output path.", example="security.md")]
    strategy: Annotated[Literal["append", "prepend", "replace"], about("What to do.", example="append")]
    file: Annotated[ProjectPath, about("Relative to the project root.", example="local/security-extension.md")]

    @field_validator("target")
    @classmethod
    def _stay_inside(cls, target: str) -> str:
        try:
            project_path(target, subject="")
        except UnsafePath as error:
            raise unsafe(error, "name an output: a file name, or a path below the project root") from error
        return target


class TemplateTransform(Part):
    """Go `text/template` over a source's text files (spec §6.1)."""

    type: Literal["template"] = "template"
    source: Annotated[Line, about("The name of a source.", example="base-rules")]
    vars: Annotated[dict[Line, Any], about("Values over `variables`; texts are rendered once against them.")] = Field(
        default_factory=dict
    )
    include: Annotated[tuple[Glob, ...], about("Globs over file keys; every text file if there are none.")] = ()
    exclude: Annotated[tuple[Glob, ...], about("Globs over file keys that stay as they are.")] = ()


class CustomTransform(Part):
    """A command that makes a source's files from a source's files, in a sandbox (spec §6.3)."""

    type: Literal["custom"] = "custom"
    source: Annotated[Line, about("The name of a source.", example="team-standards")]
    command: Annotated[
        CommandLine, about("Split as a shell would, run without one.", example="./scripts/merge.sh --all")
    ]
    reads: Annotated[tuple[ProjectPath, ...], about("Further paths that it may read.", example=["scripts/lib/"])] = ()
    output_hash: Annotated[DigestText | None, about("The digest of the canonical tar of its output.")] = None

    @property
    def words(self) -> tuple[str, ...]:
        """The command line, split."""
        return tuple(shlex.split(self.command))


Transform = Annotated[TemplateTransform | CustomTransform, Field(discriminator="type")]


class ConfigFile(Part):
    """One `agent-sync.yaml`."""

    version: Annotated[Literal[1], about("The version of the specification.", example=1)]
    tool_map: Annotated[
        Literal["spec-v1", "2026-11"] | None, about("The built-in tool map; `spec-v1` if left out.")
    ] = None
    limits: Annotated[LimitSettings, about("Bounds for every source.")] = LimitSettings()
    security: Annotated[Security, about("Demands that other files can only add to.")] = Security()
    variables: Annotated[dict[Line, Any], about("What templates see.")] = Field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], about("Where files come from.")] = ()
    tool_definitions: Annotated[tuple[ToolDefinition, ...], about("Tools of one's own.")] = ()
    targets: Annotated[tuple[Target, ...], about("Where files go.")] = ()
    overrides: Annotated[tuple[Override, ...], about("What the project adds to single outputs, in order.")] = ()
    transforms: Annotated[tuple[Transform, ...], about("What is made of a source's files, in order.")] = ()
    caches: Annotated[tuple[CachePlace, ...], about("Places asked for missing bytes before upstream, in order.")] = ()
    bundle: Annotated[Bundle | None, about("What bundles of this configuration are called.")] = None
    trust: Annotated[Trust | None, about("What bundles must prove.")] = None


class PolicyFile(Part):
    """The machine's policy: what every project on it must satisfy."""

    version: Annotated[Literal[1], about("The version of the specification.")] = 1
    limits: Annotated[LimitSettings, about("Bounds that no configuration can raise.")] = LimitSettings()
    security: Annotated[Security, about("Demands on every configuration.")] = Security()
    trust: Annotated[Trust | None, about("What bundles must prove.")] = None
