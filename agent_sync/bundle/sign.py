"""Sign bundles, and attach and find what is beside a bundle: signatures, attestations, and trusted roots."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.bundle.items import items_of
from agent_sync.bundle.names import TRUSTED_ROOT, root_tag
from agent_sync.errors import DigestMismatch, InvalidSignature, LimitExceeded, NotFound
from agent_sync.lock.file import read_lock
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, SIGSTORE_BUNDLE, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.statement import COSIGN_SIGN
from agent_sync_oci.signing.verify import claimed_signer
from agent_sync_oci.transfer.referrers import attach, referrers

if TYPE_CHECKING:
    from agent_sync_oci.signing.statement import Statement


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
        claims = f"nobody: {error.check}"
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
    from agent_sync.bundle.attestations import bill_of_materials, provenance_of
    from agent_sync_oci.signing.statement import (
        COSIGN_SIGN,
        Statement,
        Subject,
        bill_of_materials_statement,
        provenance_statement,
    )

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
