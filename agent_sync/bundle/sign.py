"""Sign bundles: attach and find signatures, attestations, and trusted roots.

Attestations describe the lock: its provenance (SLSA provenance v1), and its bill of materials (CycloneDX). This is
the one door to the library that writes bills of materials.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync._version import __version__
from agent_sync.bundle.items import item_of, items_of
from agent_sync.bundle.names import TRUSTED_ROOT, root_tag
from agent_sync.errors import DigestMismatch, InvalidSignature, LimitExceeded, NotFound
from agent_sync.lock import Lock, LockedSource
from agent_sync.lock.file import read_lock
from agent_sync.sources import describe
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, SIGSTORE_BUNDLE, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.statement import COSIGN_SIGN
from agent_sync_oci.signing.verify import claimed_signer
from agent_sync_oci.strict_json import canonical_json
from agent_sync_oci.transfer.referrers import attach, referrers

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.tool import ToolRepository

    from agent_sync_oci.signing.statement import Material, Provenance, Statement


# -- signatures ------------------------------------------------------------------------------------------------------

MAX_SIGNATURE_BYTES = 1 << 20  # a bundle with certificates, log entry and time stamps has about 10 KB

_CONTENT = "dev.sigstore.bundle.content"
_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"


def attach_signature(bundle: bytes, subject: Manifest | Index, registry: Registry, *, predicate_type: str) -> Manifest:
    """Attach the Sigstore bundle to its subject, where cosign finds it too."""
    layer = Descriptor(SIGSTORE_BUNDLE, Digest.of(bundle), len(bundle))
    manifest = Manifest.make(
        artifact_type=SIGSTORE_BUNDLE,
        config=EMPTY,
        layers=(layer,),
        subject=subject.descriptor,
        annotations={_CONTENT: "dsse-envelope", _PREDICATE_TYPE: predicate_type},
    )
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(layer, lambda: io.BytesIO(bundle))
    attach(registry, manifest)
    return manifest


@dataclass(frozen=True, slots=True)
class Signatures:
    """The Sigstore bundles of a subject, unverified and each once; and why others could not be read."""

    bundles: tuple[bytes, ...]
    unread: tuple[str, ...] = ()


def find_signatures(subject: Digest, registry: Registry) -> Signatures:
    """Find all Sigstore bundles that may sign the subject. One that cannot be read does not hide the others: anybody
    who may push can attach one.

    Raises:
        RegistryError: the registry failed.
    """
    found = referrers(registry, subject, artifact_type=SIGSTORE_BUNDLE)
    bundles: dict[bytes, None] = {}
    unread = []
    # A dictionary keeps each once: the same signature attached twice costs one verification.
    for manifest in (each for each in found if len(each.layers) == 1 and _is_signature(each)):
        try:
            bundles[_sigstore_bundle(manifest, registry)] = None
        except (DigestMismatch, NotFound, LimitExceeded) as error:
            unread.append(str(error))
    return Signatures(tuple(bundles), tuple(unread))


def unverified_claims(manifest: Manifest, registry: Registry) -> tuple[str | None, str | None]:
    """Return a Sigstore bundle's predicate type and claimed signer, unverified; (None, None) for any other manifest."""
    if manifest.listed_type != SIGSTORE_BUNDLE or len(manifest.layers) != 1:
        return None, None
    try:
        claims = claimed_signer(_sigstore_bundle(manifest, registry))
    except (DigestMismatch, NotFound, InvalidSignature, LimitExceeded) as error:
        claims = f"unknown: {error.check}"
    return manifest.annotations.get(_PREDICATE_TYPE), claims


def _is_signature(manifest: Manifest) -> bool:
    """Return whether the manifest may be a plain signature. Attestations name their predicate type in an annotation."""
    return manifest.annotations.get(_PREDICATE_TYPE) in (None, COSIGN_SIGN)


def _sigstore_bundle(manifest: Manifest, registry: Registry) -> bytes:
    layer = manifest.layers[0]
    if layer.size > MAX_SIGNATURE_BYTES:
        raise LimitExceeded(
            subject=f"signature {manifest.digest} in {registry.name}",
            check=f"{layer.size} bytes, and at most {MAX_SIGNATURE_BYTES} are read",
            remedy="remove this signature from the registry",
        )
    content = bytearray()
    registry.get_blob(layer, content.extend)
    return bytes(content)


# -- sign ------------------------------------------------------------------------------------------------------------

Signing = Callable[[bytes], bytes]
"""Signs a statement: returns the Sigstore bundle that holds it."""


def key_signing(private_pem: bytes, pass_phrase: Callable[[], bytes], *, trust_config: bytes | None = None) -> Signing:
    """Sign with a key that `agent-sync keys generate` or `cosign generate-key-pair` has made.

    With a trust configuration each signature is also entered into the log that the configuration names; without one no
    connection is opened.

    Raises:
        UnusableKey: the file holds no such key.
        WrongPassPhrase: another pass phrase decrypts it.
    """
    from agent_sync_oci.signing.keys import load_private
    from agent_sync_oci.signing.sign import sign_with_key

    key = load_private(private_pem, pass_phrase)
    return lambda statement: sign_with_key(statement, key, trust_config=trust_config)


def keyless_signing(token: str, trust_config: bytes) -> Signing:
    """Sign under the identity of an identity token, with the services that a trust configuration names."""
    from agent_sync_oci.signing.sign import sign_keyless

    return lambda statement: sign_keyless(statement, token, trust_config)


def sign_and_attach(name: str, index: Index, content: bytes, registry: Registry, signing: Signing) -> bytes:
    """Sign the bundle, attach the signature with two attestations, and return the signature's Sigstore bundle.

    Its first subject is the index under the bundle's name; then come the sources, each by the digest of its
    uncompressed content, so that the signature stays good for bytes that are compressed again. The attestations are the
    lock's provenance and bill of materials. `content` is the lock file in the bundle.
    """
    from agent_sync_oci.signing.statement import (
        COSIGN_SIGN,
        Statement,
        Subject,
        bill_of_materials_statement,
        provenance_statement,
    )

    # The bundle must be the first subject: verification compares only that one with name and digest.
    lock = read_lock(content)
    bundle = Subject(name, index.digest.hex)
    subjects = (bundle, *(Subject(item.file, item.blob.hex) for item in items_of(lock)))
    signature = _attach(Statement(subjects, COSIGN_SIGN, {}), index, registry, signing)
    _attach(provenance_statement((bundle,), provenance_of(lock)), index, registry, signing)
    bill = bill_of_materials(name, content, lock)
    _attach(bill_of_materials_statement((bundle,), bill), index, registry, signing)
    return signature


def _attach(statement: Statement, index: Index, registry: Registry, signing: Signing) -> bytes:
    from agent_sync_oci.signing.statement import statement_bytes

    bundle = signing(statement_bytes(statement))
    attach_signature(bundle, index, registry, predicate_type=statement.predicate_type)
    return bundle


# -- trusted roots ---------------------------------------------------------------------------------------------------

MAX_ROOT_BYTES = 1 << 20
MAX_ROOTS = 16
"""The most trusted roots that are copied along."""

_TAG = re.compile(r"root-([0-9a-f]{64})")


def put_root(content: bytes, registry: Registry) -> None:
    """Put the trusted root beside the bundles. No bundle names it, so that no digest changes with it."""
    config = Descriptor(TRUSTED_ROOT, Digest.of(content), len(content))
    manifest = Manifest.make(artifact_type=TRUSTED_ROOT, config=config, layers=(EMPTY,))
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(config, lambda: io.BytesIO(content))
    registry.put_manifest(manifest, tag=root_tag(config.digest))


def find_roots(registry: Registry, pinned: Iterable[str]) -> tuple[bytes, ...]:
    """Return those of the trusted roots with these SHA-256 digests (in hex) that the registry has."""
    found = (_root(Digest.from_hex(sha256), registry) for sha256 in sorted(pinned))
    return tuple(content for content in found if content is not None)


def list_roots(registry: Registry) -> Iterator[bytes]:
    """Yield the trusted roots in a layout or archive, whoever put them there; of more than MAX_ROOTS the first."""
    tags = [found[1] for tag in registry.tags() if (found := _TAG.fullmatch(tag)) is not None]
    yield from find_roots(registry, tags[:MAX_ROOTS])


def _root(digest: Digest, registry: Registry) -> bytes | None:
    try:
        # The tag is a hint; whoever pinned the root compares its SHA-256.
        manifest = registry.manifest(root_tag(digest))
        if not isinstance(manifest, Manifest) or manifest.config.digest != digest:
            return None
        if manifest.config.size > MAX_ROOT_BYTES:
            return None
        content = bytearray()
        registry.get_blob(manifest.config, content.extend)
    except (NotFound, DigestMismatch, LimitExceeded):
        return None
    return bytes(content)


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
