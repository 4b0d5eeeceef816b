"""Referrers: what was attached to a manifest, such as signatures (distribution spec 1.1, "Listing Referrers").

A registry without the referrers API has them in an index at the tag `sha256-<digits of the subject>`, which every
client keeps up to date by itself.
"""

from __future__ import annotations

from contextlib import suppress

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.manifest import EMPTY_CONFIG, IMAGE_MANIFEST, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import MAX_REFERRERS, Registry

MAX_CONSIDERED = 64
"""Referrers of one type that are read. Whoever may push can attach any number, and each costs a request."""

_ATTEMPTS = 8


def attach(registry: Registry, manifest: Manifest | Index) -> None:
    """Store a manifest so that it is found as a referrer of its subject.

    Raises RegistryError if others keep changing the list, so that the manifest does not stay in it.
    """
    assert manifest.subject is not None
    if registry.put_manifest(manifest):
        return
    plain = manifest.descriptor
    entry = Descriptor(plain.media_type, plain.digest, plain.size, manifest.annotations, manifest.listed_type)
    tag = _fallback_tag(manifest.subject.digest)
    # Registries have no compare-and-swap for tags: write, read back, and write again if another client was faster.
    for _ in range(_ATTEMPTS):
        listed = _listed_at(registry, tag)
        if entry.digest in {each.digest for each in listed}:
            return
        registry.put_manifest(Index.make(artifact_type=None, manifests=(*listed, entry)), tag=tag)
    raise RegistryError(
        subject=f"tag {tag} in {registry.name}",
        check="other processes keep changing the list of referrers",
        remedy="run the command again when they have finished",
    )


def list_referrers(registry: Registry, subject: Digest) -> tuple[Descriptor, ...]:
    """Return all that the registry lists as referrers of the subject, in its order: by the API, or at the fallback tag.

    Raises LimitExceeded for more than MAX_REFERRERS.
    """
    # A registry that has had the API only for a while may have older referrers at the tag alone.
    listed = registry.referrers(subject) or _listed_at(registry, _fallback_tag(subject))
    if len(listed) > MAX_REFERRERS:
        raise LimitExceeded(
            subject=f"referrers of {subject} in {registry.name}", check=f"more than {MAX_REFERRERS} are listed"
        )
    return listed


def referrers(registry: Registry, subject: Digest, *, artifact_type: str | None) -> tuple[Manifest, ...]:
    """Return the referrers of this type (None: of any) in the registry's order; at most MAX_CONSIDERED are read.

    One that is missing, invalid, or has another subject is passed over: whoever may push can list it, and it must not
    keep the others from being found.
    """
    wanted = [each for each in list_referrers(registry, subject) if _may_be(each, artifact_type)]
    found = []
    for each in wanted[:MAX_CONSIDERED]:
        with suppress(DigestMismatch, NotFound, LimitExceeded):
            manifest = registry.manifest(each.digest)
            if isinstance(manifest, Manifest) and _is_of(manifest, subject, artifact_type):
                found.append(manifest)
    return tuple(found)


def _may_be(listed: Descriptor, artifact_type: str | None) -> bool:
    """Return whether the manifest has to be read: it may be of this type."""
    # Some registries and clients list no type, or that of the empty config: then only the manifest can tell.
    unknown = listed.artifact_type is None or listed.artifact_type == EMPTY_CONFIG
    return listed.media_type == IMAGE_MANIFEST and (
        artifact_type is None or unknown or listed.artifact_type == artifact_type
    )


def _is_of(manifest: Manifest, subject: Digest, artifact_type: str | None) -> bool:
    refers = manifest.subject is not None and manifest.subject.digest == subject
    return refers and artifact_type in (None, manifest.listed_type)


def _listed_at(registry: Registry, tag: str) -> tuple[Descriptor, ...]:
    try:
        found = registry.manifest(tag)
    except NotFound:
        return ()
    if isinstance(found, Index):
        return found.manifests
    raise DigestMismatch(
        subject=f"tag {tag} in {registry.name}", check="names a manifest instead of a list of referrers"
    )


def _fallback_tag(subject: Digest) -> str:
    return f"sha256-{subject.hex}"
