"""OCI sources: the files of an artifact in a registry, whatever program has put it there (our addition)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from agent_sync.errors import InvalidReference, LockInvalid
from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    IndependentSourceType,
    Pin,
    Pinned,
    Request,
    UpstreamState,
    parameters,
)
from agent_sync.sources.content import Content, PackedTree
from agent_sync.sources.fields import About, ArtifactReference, DigestText, Glob
from agent_sync.sources.table import Table
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync_oci.reference import RegistryReference


@record(kw_only=True)
class OciDeclaration(Declaration):
    """The files of an artifact in a registry, whatever program pushed it (not in the specification)."""

    type: ClassVar[str] = "oci"
    title: ClassVar[str] = "OciSource"
    location_key: ClassVar[str] = "reference"

    exclude: Annotated[tuple[Glob, ...], About("Globs for files to leave out.", example=["**/*.png"])] = ()
    reference: Annotated[
        ArtifactReference,
        About("The reference of an artifact in a registry.", example="registry.example.com/team/rules:v1"),
    ]
    digest: Annotated[DigestText | None, About("The digest of the manifest, which pins the artifact.")] = None

    @property
    def address(self) -> str:
        return self.parsed.address

    @property
    def parsed(self) -> RegistryReference:
        """The reference, with the digest if there is one. LockInvalid if it is a lock's, and names no registry."""
        from agent_sync_oci.reference import RegistryReference, parse_reference

        try:
            parsed = parse_reference(self.reference)
        except InvalidReference:
            parsed = None
        if not isinstance(parsed, RegistryReference):
            remedy = "agent-sync update"
            raise LockInvalid(subject=quoted(self.reference), check="the lock names no registry there", remedy=remedy)
        return parsed if self.digest is None else replace(parsed, digest=Digest.parse(self.digest))


@record
class OciPin(Pin):
    """The manifest of an artifact, and the files of its layers."""

    digest: Digest
    packed: PackedTree

    @property
    def content(self) -> Content:
        return self.packed

    @classmethod
    def read(cls, resolved: Table) -> OciPin:
        return cls(resolved.digest("digest"), PackedTree.read(resolved))

    def write(self) -> dict[str, Any]:
        return {"digest": self.digest, **self.packed.write()}


OciRequest = Request[OciDeclaration, OciPin]
OciPinned = Pinned[OciDeclaration, OciPin]


class OciType(IndependentSourceType[OciDeclaration, OciPin]):
    """Artifacts of registries; what talks to them is loaded when it is needed."""

    declaration = OciDeclaration
    pin = OciPin

    def resolve_one(self, request: OciRequest, context: Context) -> OciPinned:
        from agent_sync.sources.oci.artifact import resolve_oci

        return resolve_oci(request, context.world)

    def check_one(self, request: OciRequest, context: Context) -> UpstreamState:
        from agent_sync.sources.oci.artifact import check_oci

        return check_oci(request, context.world)

    def refetch_one(self, request: OciRequest, context: Context) -> Content:
        from agent_sync.sources.oci.artifact import refetch_oci

        return refetch_oci(request, context.world)

    def describe(self, pinned: OciPinned) -> Description:
        declared, digest = pinned.declaration, pinned.pin.digest
        return Description(
            summary=f"sha256:{digest.hex[:12]}",
            uri=f"oci://{declared.reference}",
            digests={"ociDigest": digest.hex},
            parameters=parameters(declared, without="digest"),
            location=f"oci://{declared.reference}",
            version=digest,
        )


TYPE = OciType()
