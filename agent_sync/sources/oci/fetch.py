"""Resolve, check and refetch artifacts in registries."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from agent_sync.errors import ConfigInvalid, DigestMismatch
from agent_sync.sources.base import Pinned, UpstreamState, require_online, require_protocol, require_upstream
from agent_sync.sources.content import PackedTree, store_tree
from agent_sync.sources.oci import OciPin, OciPinned, OciRequest
from agent_sync.tree import describe_changes
from agent_sync.tree.globs import Globs
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.reference import RegistryReference

if TYPE_CHECKING:
    from agent_sync.limits import Limits
    from agent_sync.ports import World
    from agent_sync_oci.registry.protocol import Registry


def resolve_oci(request: OciRequest, world: World) -> OciPinned:
    """Fetch the files of the artifact that the tag (or digest) names now to the cache.

    Raises: NetworkError, DigestMismatch (wrong bytes, a layer that is no archive), ConfigInvalid (no file in it),
        UnsafePath, LimitExceeded, Untrusted (protocol), BytesUnavailable (offline).
    """
    world.cancellation.check()
    digest, packed = _fetch(request.declared.parsed, request, world)
    return Pinned(request.name, request.declared.recorded(), OciPin(digest, packed))


def check_oci(request: OciRequest, world: World) -> UpstreamState:
    """Compare the digest of the manifest that the reference names now; nothing else is fetched.

    Raises: NetworkError, DigestMismatch, Untrusted, BytesUnavailable (offline).
    """
    world.cancellation.check()
    reference = request.declared.parsed
    require_protocol(reference.address, request.policy, subject=request.subject)
    require_upstream(request.name, world)
    with _opened(reference, world, request.limits) as registry:
        served = registry.manifest(_wanted(reference)).digest
    same = request.locked is not None and request.locked.pin.digest == served
    return UpstreamState(same, f"sha256:{served.hex[:12]}")


def refetch_oci(request: OciRequest, world: World) -> PackedTree:
    """Fetch the locked artifact by its digest: the tag may have moved. Raises as `resolve_oci`, and LockInvalid."""
    locked = request.pinned
    reference = replace(locked.declaration.parsed, tag=None, digest=locked.pin.digest)
    _, packed = _fetch(reference, replace(request, declaration=locked.declaration), world)
    changes = locked.tree.changes_to(packed.files)
    if changes:
        raise DigestMismatch(
            subject=request.subject,
            check=f"the artifact does not hold the locked files: {describe_changes(changes)}",
            remedy="restore the lock from version control, or make it again: agent-sync update",
        )
    return packed


def _fetch(reference: RegistryReference, request: OciRequest, world: World) -> tuple[Digest, PackedTree]:
    require_protocol(reference.address, request.policy, subject=request.subject)
    require_online(request.name, world)
    # What reads archives and layers is loaded only where there is such a source.
    from agent_sync.sources.oci.layers import Layers

    with _opened(reference, world, request.limits) as registry, world.scratch() as scratch:
        manifest = registry.manifest(_wanted(reference))
        if not isinstance(manifest, Manifest):
            raise DigestMismatch(
                subject=request.subject,
                check=f"{manifest.digest} is an index of several artifacts",
                remedy="name the one that is meant, by its own tag or digest",
            )
        layers = Layers(registry, scratch, subject=request.subject, limits=request.limits)
        layers.add(manifest, Globs(request.declared.exclude), world.cancellation)
        packed = store_tree(layers.to_pack(), world.store, subject=request.subject)
    if not packed.files:
        raise ConfigInvalid(subject=request.subject, check="the artifact holds no file", remedy="correct `reference:`")
    return manifest.digest, packed


def _opened(reference: RegistryReference, world: World, limits: Limits) -> AbstractContextManager[Registry]:
    return world.registries.open(reference, timeout_s=limits.fetch_timeout_s, cancellation=world.cancellation)


def _wanted(reference: RegistryReference) -> Digest | str:
    assert reference.wanted is not None, "the configuration lets no other reference through"
    return reference.wanted
