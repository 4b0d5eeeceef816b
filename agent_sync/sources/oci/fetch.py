"""Resolve an artifact in a registry to packed files in the cache (`type: oci`)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from agent_sync.errors import ConfigInvalid, DigestMismatch
from agent_sync.limits import Limits
from agent_sync.lock import LockedSource, OciPin, PackedTree
from agent_sync.lock.packing import store_tree
from agent_sync.sources.base import declared, refuse_offline, refuse_to_ask
from agent_sync.sources.git.signatures import refuse_protocol
from agent_sync.tree.globs import Globs
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.reference import RegistryReference

if TYPE_CHECKING:
    from agent_sync.config.effective import Policy
    from agent_sync.config.model import OciSource
    from agent_sync.ports import World
    from agent_sync_oci.registry.protocol import Registry


def resolve_oci(source: OciSource, world: World, *, limits: Limits, security: Policy) -> LockedSource:
    """The source, locked as its tag (or digest) is now; its bytes are in the store.

    Raises: NetworkError, DigestMismatch (bytes that lie, a layer that is no archive), ConfigInvalid (no file in it),
        UnsafePath, LimitExceeded, Untrusted (protocol), BytesUnavailable (offline).
    """
    digest, packed = fetch_artifact(
        source.place, Globs(source.exclude), world, subject=f"source {source.name}", limits=limits, security=security
    )
    return LockedSource(source.name, declared(source), OciPin(digest, packed))


def fetch_artifact(
    place: RegistryReference, exclude: Globs, world: World, *, subject: str, limits: Limits, security: Policy
) -> tuple[Digest, PackedTree]:
    """The digest of the manifest at the place, and its files in the store. Raises: as `resolve_oci`."""
    refuse_protocol(place.address, security, subject=subject)
    refuse_offline(subject.removeprefix("source "), world)
    # What reads archives and layers is loaded only where there is such a source.
    from agent_sync.sources.oci.layers import Layers

    with _opened(place, world, limits) as registry, world.scratch() as scratch:
        manifest = registry.manifest(_wanted(place))
        if not isinstance(manifest, Manifest):
            raise DigestMismatch(
                subject=subject,
                check=f"{manifest.digest} is an index of several artifacts",
                remedy="name the one that is meant, by its own tag or digest",
            )
        layers = Layers(registry, scratch, subject=subject, limits=limits)
        layers.add(manifest, exclude, world.cancellation)
        packed = store_tree(layers.to_pack(), world.store, subject=subject)
    if not packed.files:
        raise ConfigInvalid(subject=subject, check="the artifact holds no file", remedy="correct `reference:`")
    return manifest.digest, packed


def served_manifest(source: OciSource, world: World, *, limits: Limits, security: Policy) -> Digest:
    """The digest of what the reference names now; nothing else is fetched.

    Raises: NetworkError, DigestMismatch, Untrusted, BytesUnavailable (offline).
    """
    refuse_protocol(source.place.address, security, subject=f"source {source.name}")
    refuse_to_ask(source.name, world)
    with _opened(source.place, world, limits) as registry:
        return registry.manifest(_wanted(source.place)).digest


def _opened(place: RegistryReference, world: World, limits: Limits) -> AbstractContextManager[Registry]:
    return world.registries.open(place, timeout_s=limits.fetch_timeout_s, cancellation=world.cancellation)


def _wanted(place: RegistryReference) -> Digest | str:
    assert place.wanted is not None, "the configuration lets no other reference through"
    return place.wanted
