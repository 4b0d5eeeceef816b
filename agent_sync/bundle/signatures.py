"""The signatures of a bundle, as they lie beside it in a place."""

from __future__ import annotations

import io
from dataclasses import dataclass

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, NotFound, SignatureRejected, TooMuch
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Descriptor, Index, Manifest
from agent_sync_oci.media_types import SIGSTORE_BUNDLE
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.checking import who_signed
from agent_sync_oci.signing.statement import COSIGN_SIGN
from agent_sync_oci.transfer.referrers import attach, referrers

MAX_SIGNATURE_BYTES = 1 << 20  # a bundle with certificates, log entry and time stamps has about 10 KB

_CONTENT = "dev.sigstore.bundle.content"
_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"


def attach_signature(bundle: bytes, subject: Manifest | Index, registry: Registry, *, predicate_type: str) -> Manifest:
    """The Sigstore bundle lies beside its subject, where cosign looks for it too."""
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
    """The Sigstore bundles beside a subject, unproved, each once; and why others there could not be read."""

    bundles: tuple[bytes, ...]
    unread: tuple[str, ...] = ()


def signatures_of(subject: Digest, registry: Registry) -> Signatures:
    """All that may sign the subject. What is no signature does not keep the others from being found: anybody who may
    push can lay it there.

    Raises: what asking the registry raises.
    """
    found = referrers(registry, subject, artifact_type=SIGSTORE_BUNDLE)
    bundles: dict[bytes, None] = {}
    unread = []
    for manifest in (each for each in found if len(each.layers) == 1 and _may_sign(each)):
        try:
            bundles[_bundle_of(manifest, registry)] = None
        except (ContentLies, NotFound, TooMuch) as error:
            unread.append(str(error))
    return Signatures(tuple(bundles), tuple(unread))


def claims_of(manifest: Manifest, registry: Registry) -> tuple[str | None, str | None]:
    """What kind of statement a Sigstore bundle holds, and who claims to have signed it; (None, None) for all else.

    Nothing of it is proved: it is for people to look at.
    """
    if manifest.listed_type != SIGSTORE_BUNDLE or len(manifest.layers) != 1:
        return None, None
    try:
        claims = who_signed(_bundle_of(manifest, registry))
    except (ContentLies, NotFound, SignatureRejected, TooMuch) as error:
        claims = f"nobody: {error.check}"
    return manifest.annotations.get(_PREDICATE_TYPE), claims


def _may_sign(manifest: Manifest) -> bool:
    """Attestations say more than that somebody signs, and say so on the outside; what says nothing is looked at."""
    return manifest.annotations.get(_PREDICATE_TYPE) in (None, COSIGN_SIGN)


def _bundle_of(manifest: Manifest, registry: Registry) -> bytes:
    layer = manifest.layers[0]
    if layer.size > MAX_SIGNATURE_BYTES:
        raise TooMuch(
            subject=f"signature {manifest.digest} in {registry.name}",
            check=f"it has {layer.size} bytes, and at most {MAX_SIGNATURE_BYTES} are read",
            remedy="remove it from that place",
        )
    content = bytearray()
    registry.get_blob(layer, content.extend)
    return bytes(content)
