"""bundle copy: from a registry, a folder or a file to another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_sync.bundle.copying import Receiver, blobs_of, copy_bundle
from agent_sync.bundle.naming import tag_to_move, wanted_at
from agent_sync.bundle.opening import opened_place
from agent_sync.bundle.policy import TrustFiles, trusted_roots
from agent_sync.bundle.trusted_roots import roots_in
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Place, RegistryPlace
from agent_sync_oci.registry.protocol import Registry


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """From where to where. `since` is what the receiver has: a lockfile's bytes, or the place of an older bundle."""

    source: Place
    target: Place
    since: bytes | Place | None = None
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The bundle, where it is now, and how many blobs and bytes travelled, or did not need to."""

    name: str
    place: Place
    digest: Digest
    blobs: int
    bytes: int
    skipped: int


def bundle_copy(inputs: Inputs, request: CopyRequest) -> CopyResult:
    """The bundle, with its signatures, is at the target under the same digest.

    Nothing is compressed anew: that would lose the signatures. The target's tag moves when everything is there; an
    archive appears whole or not at all.

    Raises: UsageWrong, ContentMismatch (it is no bundle), LockInvalid, BytesUnavailable (parts of it are in neither
        place), Untrusted (a trusted root that is not what it was pinned to be), NetworkError, FileFault.
    """
    world, limits = inputs.world, inputs.demands.limits
    tag = tag_to_move(request.target) or request.source.tag
    has_blobs = _blobs_since(inputs, request)
    with (
        opened_place(request.source, world, limits, plain_http=request.plain_http) as source,
        opened_place(request.target, world, limits, plain_http=request.plain_http) as target,
    ):
        receiver = Receiver(
            registry=target,
            tag=tag,
            mount_from=_mountable(request),
            roots=_roots(inputs, request, source),
            has_blobs=has_blobs,
            has_lock=request.since if isinstance(request.since, bytes) else None,
        )
        bundle, copied = copy_bundle(wanted_at(request.source), source, receiver, check=world.cancellation.check)
    return CopyResult(
        name=bundle.name,
        place=replace(request.target, tag=tag, digest=bundle.index.digest),
        digest=bundle.index.digest,
        blobs=copied.blobs,
        bytes=copied.bytes,
        skipped=copied.skipped,
    )


def _roots(inputs: Inputs, request: CopyRequest, source: Registry) -> tuple[bytes, ...]:
    """The trusted roots that lie beside the bundle, and into a folder or file those that the configuration trusts."""
    roots = [] if isinstance(request.source, RegistryPlace) else list(roots_in(source))
    if not isinstance(request.target, RegistryPlace):
        files = TrustFiles(inputs.world.project, inputs.world.read_file)
        roots += trusted_roots(inputs.demands.trust, files)
    return tuple(dict.fromkeys(roots))


def _blobs_since(inputs: Inputs, request: CopyRequest) -> frozenset[Digest]:
    if request.since is None or isinstance(request.since, bytes):
        return frozenset()
    with opened_place(request.since, inputs.world, inputs.demands.limits, plain_http=request.plain_http) as older:
        return blobs_of(wanted_at(request.since), older)


def _mountable(request: CopyRequest) -> str | None:
    """Within one registry blobs need not travel at all."""
    match request.source, request.target:
        case RegistryPlace(host=here, repository=repository), RegistryPlace(host=there) if here == there:
            return repository
        case _:
            return None
