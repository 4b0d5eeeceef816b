"""Describe a lock in attestations: its provenance (SLSA provenance v1) and its bill of materials (CycloneDX).

The one door to the library that writes bills of materials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent_sync._version import __version__
from agent_sync.bundle.items import item_of
from agent_sync.lock import Lock, LockedSource
from agent_sync.sources import describe
from agent_sync_oci.digest import Digest
from agent_sync_oci.strict_json import canonical_json

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.tool import ToolRepository

    from agent_sync_oci.signing.statement import Material, Provenance


# -- provenance ------------------------------------------------------------------------------------------------------

BUILD_TYPE = "https://agent-sync.dev/update/v1"
BUILDER = "https://agent-sync.dev/agent-sync"


def provenance_of(lock: Lock) -> Provenance:
    """Describe `agent-sync update` as a build: its parameters are the declarations, its materials what they resolved
    to.

    The lock alone decides the result; the machine and the time do not.
    """
    from agent_sync_oci.signing.statement import Provenance

    return Provenance(
        build_type=BUILD_TYPE,
        builder=BUILDER,
        builder_version={"agent-sync": __version__},
        parameters={"sources": [_declaration(source) for source in lock.sources]},
        materials=[_material(source) for source in lock.sources],
    )


def _declaration(source: LockedSource) -> Mapping[str, object]:
    return {"name": source.name, **describe(source).parameters}


def _material(source: LockedSource) -> Material:
    from agent_sync_oci.signing.statement import Material

    item, described = item_of(source), describe(source)
    digests = {} if item is None else {"sha256": item.blob.hex}
    return Material(described.uri, {**digests, **described.digests}, source.name)


# -- bill of materials -----------------------------------------------------------------------------------------------


def bill_of_materials(name: str, content: bytes, lock: Lock) -> bytes:
    """Return the bill of materials as CycloneDX 1.6 in JSON: each source is a component, with its content's SHA-256.

    It holds no time and nothing random: the same lock gives the same bytes.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    root = Component(name=name, type=ComponentType.DATA, bom_ref="lock", version=Digest.of(content).hex)
    bom = Bom(
        components=[_component(source) for source in lock.sources],
        metadata=BomMetaData(component=root, tools=_tools()),
    )
    bom.register_dependency(root, bom.components)
    said = json.loads(JsonV1Dot6(bom).output_as_string())
    said["metadata"].pop("timestamp", None)
    said["serialNumber"] = f"urn:uuid:{_uuid(Digest.of(content))}"
    return canonical_json(said)


def _uuid(digest: Digest) -> str:
    """Return the digest's first digits as a UUID of version 8, whose bits are free to choose (RFC 9562)."""
    digits = digest.hex
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def _tools() -> ToolRepository:
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    return ToolRepository(
        components=[Component(name="agent-sync", type=ComponentType.APPLICATION, version=__version__)]
    )


def _component(source: LockedSource) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.component import Component, ComponentType

    item, described = item_of(source), describe(source)
    references = []
    if described.location is not None:
        kind = ExternalReferenceType(described.location_type)
        references.append(ExternalReference(type=kind, url=XsUri(described.location)))
    return Component(
        name=source.name,
        type=ComponentType.DATA,
        bom_ref=f"source:{source.name}",
        version=described.version,
        hashes=[] if item is None else [HashType(alg=HashAlgorithm.SHA_256, content=item.blob.hex)],
        external_references=references,
    )
