"""Statements that say more than "signed": how something was made (SLSA provenance), what it is made of (CycloneDX)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_sync_oci.canonical import read_json
from agent_sync_oci.errors import ContentLies
from agent_sync_oci.signing.statement import Statement, Subject

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
"""`slsaprovenance1` to `cosign verify-attestation --type`."""

CYCLONEDX = "https://cyclonedx.org/bom"
"""`cyclonedx` to `cosign verify-attestation --type`."""


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went in: `uri` as SPDX download locations are spelt, `digests` by in-toto's algorithm names."""

    uri: str
    digests: Mapping[str, str]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the subjects came to be (SLSA provenance v1.0). `build_type` and `builder` are URIs that explain the rest."""

    build_type: str
    builder: str
    builder_version: Mapping[str, str]
    parameters: Mapping[str, object]
    materials: Sequence[Material]
    invocation: str | None = None


def provenance_statement(subjects: tuple[Subject, ...], provenance: Provenance) -> Statement:
    """The statement that says so. It holds no time: the same build says the same."""
    predicate = {
        "buildDefinition": {
            "buildType": provenance.build_type,
            "externalParameters": dict(provenance.parameters),
            "resolvedDependencies": [_resource(each) for each in provenance.materials],
        },
        "runDetails": {
            "builder": {"id": provenance.builder, "version": dict(provenance.builder_version)},
            **({"metadata": {"invocationId": provenance.invocation}} if provenance.invocation else {}),
        },
    }
    return Statement(subjects, SLSA_PROVENANCE, predicate)


def bill_of_materials_statement(subjects: tuple[Subject, ...], bill: bytes) -> Statement:
    """The statement that holds this CycloneDX document. Raises ContentLies: it is none in JSON."""
    document = read_json(bill, subject="the bill of materials")
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise ContentLies(subject="the bill of materials", check="it is no CycloneDX document in JSON")
    return Statement(subjects, CYCLONEDX, document)


def _resource(material: Material) -> dict[str, object]:
    named = {"name": material.name} if material.name is not None else {}
    return {**named, "uri": material.uri, "digest": dict(material.digests)}
