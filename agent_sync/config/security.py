"""What a file demands, as frozen models: bounds, safeguards and trust (docs/reference/configuration.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from agent_sync.config.addresses import Protocol
from agent_sync.config.fields import (
    Count,
    DigestText,
    Duration,
    Line,
    Name,
    OnOff,
    OwnKeyFile,
    RepositoryGlob,
    SandboxedOff,
    Size,
    TrustFile,
    about,
)
from agent_sync.config.safeguards import Signed, Signers
from agent_sync.limits import Limits


class Part(BaseModel):
    """A mapping of the file. Keys that it does not know are left to `unknown`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class LimitSettings(Part):
    """Bounds that a file or a source sets; what it leaves out stays as it is."""

    max_file_size: Annotated[Size | None, about("The largest single file.", example="100MB")] = None
    max_source_size: Annotated[Size | None, about("All files of one source together.", example="1GB")] = None
    max_files: Annotated[Count | None, about("The number of files of one source.", example=100000)] = None
    fetch_timeout: Annotated[Duration | None, about("The longest that one fetch may take.", example="120s")] = None
    command_timeout: Annotated[Duration | None, about("The longest that a command may run.", example="60s")] = None

    def over(self, general: Limits) -> Limits:
        """The general bounds with these in their place where there are any."""
        return Limits(
            max_file_size=self.max_file_size or general.max_file_size,
            max_source_size=self.max_source_size or general.max_source_size,
            max_files=self.max_files or general.max_files,
            fetch_timeout_s=self.fetch_timeout or general.fetch_timeout_s,
            command_timeout_s=self.command_timeout or general.command_timeout_s,
        )


class Security(Part):
    """Demands that every other file can add to and none can take away."""

    templates: Annotated[OnOff, about("`off` makes every template transform an error.")] = True
    custom_transforms: Annotated[SandboxedOff, about("`off` makes every custom transform an error.")] = True
    repositories: Annotated[
        tuple[RepositoryGlob, ...] | None,
        about(
            "The only repositories that git sources may name; anchored globs.", example=["https://github.com/acme/*"]
        ),
    ] = None
    protocols: Annotated[
        tuple[Protocol, ...] | None,
        about("The only protocols that git and url sources may use.", example=["https", "ssh"]),
    ] = None
    signed: Annotated[Signed | None, about("What must be signed in every git source.", example="tag")] = None
    allowed_signers: Annotated[OwnKeyFile | None, about("The ssh signers file for every git source.")] = None
    keyring: Annotated[OwnKeyFile | None, about("The OpenPGP keyring for every git source.")] = None

    @property
    def signers(self) -> Signers | None:
        """Whose signatures count, if this file says so."""
        return Signers(self.allowed_signers, self.keyring) if self.allowed_signers or self.keyring else None


class IdentitySigner(Part):
    """Someone whom an issuer vouches for."""

    identity: Annotated[Line, about("Who signed, as the certificate says it.", example="release@example.com")]
    issuer: Annotated[
        Line,
        about(
            "Who vouches for the identity; without it any issuer's would do.", example="https://accounts.example.com"
        ),
    ]


class KeySigner(Part):
    """The holder of a key."""

    key: Annotated[TrustFile, about("The public key file.", example="keys/security.pub")]


def _kind_of_signer(value: Any) -> str | None:  # noqa: ANN401  # whatever the file holds, or a model
    if isinstance(value, KeySigner) or (isinstance(value, dict) and "key" in value and "identity" not in value):
        return "a key"
    if isinstance(value, IdentitySigner) or (isinstance(value, dict) and {"identity", "issuer"} & value.keys()):
        return "an identity"
    return None


Signer = Annotated[
    Annotated[IdentitySigner, Tag("an identity")] | Annotated[KeySigner, Tag("a key")], Discriminator(_kind_of_signer)
]


class TrustRule(Part):
    """Who must have signed the bundles whose names match."""

    bundle: Annotated[
        Line, about("A glob over the name that a bundle was signed for.", example="registry.example.com/team/*")
    ]
    threshold: Annotated[Count, about("How many different signers it takes.")] = 1
    signers: Annotated[
        tuple[Signer, ...],
        Field(min_length=1),
        about("Whose signatures count.", example=[{"key": "keys/release.pub"}]),
    ]
    transparency_log: Annotated[Literal["required", "optional"], about("Whether a log entry must be there.")] = (
        "required"
    )


class Revoked(Part):
    """Something that no signature makes good again."""

    digest: Annotated[Line, about("Of an index, manifest, blob or file, or a commit.", example="sha256:0123...")]
    reason: Annotated[Line | None, about("Why; shown where it is refused.")] = None


class Trust(Part):
    """What bundles must prove before anything is taken from them."""

    require: Annotated[Literal["signed"] | None, about("`signed` refuses bundles that no rule is for.")] = None
    root: Annotated[TrustFile | None, about("The trusted root file.", example="trusted_root.json")] = None
    root_sha256: Annotated[DigestText | None, about("Its digest, which pins it.", example="sha256:0123...")] = None
    rules: Annotated[tuple[TrustRule, ...], about("All that match a bundle's name must be satisfied.")] = ()
    revoked: Annotated[tuple[Revoked, ...], about("What is refused whoever signed it.")] = ()


class Bundle(Part):
    """What bundles made from this configuration are called."""

    name: Annotated[Name, about("The name that signatures are bound to.", example="acme/agents")]
