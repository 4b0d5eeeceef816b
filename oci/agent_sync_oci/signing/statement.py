"""Statements of in-toto (Statement v1): subjects by name and digest, and a predicate about them.

Predicates made here: a plain signature, SLSA provenance, and a CycloneDX bill of materials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent_sync_oci.errors import DigestMismatch, InvalidSignature, LimitExceeded
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

IN_TOTO = "application/vnd.in-toto+json"
COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a plain signature, as cosign 3 makes it; its predicate is empty."""

_TYPE = "https://in-toto.io/Statement/v1"
_READ_TYPES = {_TYPE, "https://in-toto.io/Statement/v0.1"}  # the same fields; what GitHub and npm wrote until 2023
_MAX_SUBJECTS = 10_000
_SUBJECT = "signed statement"


@dataclass(frozen=True, slots=True)
class Subject:
    """One artifact. `name` may be empty; `sha256` is 64 hexadecimal digits, or None if only others are given."""

    name: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement about its subjects: `predicate_type` names the shape of `predicate`."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, object] = field(default_factory=dict, hash=False)


def statement_bytes(statement: Statement) -> bytes:
    """Return the statement as canonical JSON: what is signed."""
    return canonical_json(
        {
            "_type": _TYPE,
            "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in statement.subjects],
            "predicateType": statement.predicate_type,
            "predicate": dict(statement.predicate),
        }
    )


def read_statement(payload: bytes) -> Statement:
    """Read the statement in a signed payload.

    Raises:
        InvalidSignature: not a statement, without subjects, or with a key twice.
        LimitExceeded: nested too deeply, or with more than 10,000 subjects.
    """
    try:
        document = read_json(payload, subject=_SUBJECT)
    except DigestMismatch as error:
        raise InvalidSignature(subject=_SUBJECT, check=error.check) from error
    if not isinstance(document, dict) or document.get("_type") not in _READ_TYPES:
        raise _rejected("not an in-toto statement of version 1")
    predicate_type, predicate = document.get("predicateType"), document.get("predicate")
    if not isinstance(predicate_type, str) or not predicate_type:
        raise _rejected("the predicate type is missing")
    if not isinstance(predicate, dict | None):
        raise _rejected("the predicate is not an object")
    return Statement(_subjects(document.get("subject")), predicate_type, predicate or {})


def _subjects(listed: object) -> tuple[Subject, ...]:
    if not isinstance(listed, list) or not listed:
        raise _rejected("no subject")
    if len(listed) > _MAX_SUBJECTS:
        raise LimitExceeded(subject=_SUBJECT, check=f"{len(listed)} subjects; at most {_MAX_SUBJECTS} are read")
    return tuple(map(_subject, listed))


def _subject(document: object) -> Subject:
    fields = document if isinstance(document, dict) else {}
    name, digests = fields.get("name") or "", fields.get("digest")
    if not isinstance(name, str) or not isinstance(digests, dict) or not digests:
        raise _rejected(f"a subject has no digest: {quoted(document)}")
    sha256 = digests.get("sha256")
    if sha256 is not None and not _is_sha256(sha256):
        raise _rejected(f"the SHA-256 of {quoted(name)} is invalid")
    return Subject(name, sha256)


def _is_sha256(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def _rejected(check: str) -> InvalidSignature:
    return InvalidSignature(subject=_SUBJECT, check=check)


# -- attestations ----------------------------------------------------------------------------------------------------

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
"""`slsaprovenance1` to `cosign verify-attestation --type`."""

CYCLONEDX = "https://cyclonedx.org/bom"
"""`cyclonedx` to `cosign verify-attestation --type`."""


@dataclass(frozen=True, slots=True)
class Material:
    """An input: `uri` is an SPDX download location, `digests` go by in-toto's algorithm names."""

    uri: str
    digests: Mapping[str, str]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the subjects were made (SLSA provenance v1.0). `build_type` and `builder` are URIs that explain the rest."""

    build_type: str
    builder: str
    builder_version: Mapping[str, str]
    parameters: Mapping[str, object]
    materials: Sequence[Material]
    invocation: str | None = None


def provenance_statement(subjects: tuple[Subject, ...], provenance: Provenance) -> Statement:
    """Return the statement of provenance. It holds no time: the same build gives the same bytes."""
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
    """Return the statement with this CycloneDX document as its predicate. Raises DigestMismatch for others."""
    document = read_json(bill, subject="bill of materials")
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise DigestMismatch(subject="bill of materials", check="not a CycloneDX document in JSON")
    return Statement(subjects, CYCLONEDX, document)


def _resource(material: Material) -> dict[str, object]:
    named = {"name": material.name} if material.name is not None else {}
    return {**named, "uri": material.uri, "digest": dict(material.digests)}
