"""push: send the lock and all that it needs to a registry, a layout directory, or an archive."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from agent_sync.bundle.index import parse_index
from agent_sync.bundle.names import bundle_name, tag_to_push
from agent_sync.bundle.pack import Compression
from agent_sync.bundle.push import OutgoingBundle, Pushed, push_bundle
from agent_sync.bundle.registry import open_registry
from agent_sync.bundle.sign import Signing, put_root, sign_and_attach
from agent_sync.bundle.trust import BundleRecord, record_bundle, trusted_roots
from agent_sync.events import BundlePushed
from agent_sync.lock import Lock
from agent_sync.lock.file import check_digests
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.phases import audited
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Index
from agent_sync_oci.reference import LayoutReference, Reference, RegistryReference
from agent_sync_oci.registry.protocol import Registry


@dataclass(frozen=True, slots=True)
class PushRequest:
    """Where to push to, and how.

    Without `compression`: zstd towards registries and archives, none in a layout directory, whose blobs Nix reads as
    they are. `signing` makes the signature that is attached to the bundle.
    """

    reference: Reference
    name: str | None = None
    compression: Compression | None = None
    signing: Signing | None = None
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class PushResult:
    """The bundle: its name, its reference with the digest, and the titles of its parts: sent, or present already."""

    name: str
    reference: Reference
    digest: Digest
    sent: tuple[str, ...]
    present: tuple[str, ...]
    sent_bytes: int
    signed: bool


def push(inputs: Inputs, request: PushRequest) -> PushResult:
    """Push the committed lock and every blob that it needs, signed if that was asked for.

    1 the lock, checked; 2 its bytes, in the cache; 3 parts, index, signature, and then the tag.

    Raises: UsageError (no name, a digest as target), LockMissing, LockInvalid, BytesUnavailable, BlobCorrupt,
        NetworkError, FileSystemError, and what resolving a source again raises.
    """
    name = bundle_name(request.reference, asked=request.name, configured=inputs.bundle_name)
    tag = tag_to_push(request.reference)
    content, lock = _lock(inputs)
    _supply(inputs, lock)  # before the registry is opened: what fails here has sent nothing
    outgoing = OutgoingBundle(name, content, lock, inputs.demands.limits.max_source_size, _compression(request))
    pushed = _push(inputs, request, outgoing, tag)
    inputs.world.roots.remember(content, path=inputs.lock_file.path)
    return PushResult(
        name=name,
        reference=replace(request.reference, tag=tag, digest=pushed.index.digest),
        digest=pushed.index.digest,
        sent=pushed.sent,
        present=pushed.present,
        sent_bytes=pushed.sent_bytes,
        signed=request.signing is not None,
    )


def _compression(request: PushRequest) -> Compression:
    return request.compression or ("none" if isinstance(request.reference, LayoutReference) else "zstd")


def _lock(inputs: Inputs) -> tuple[bytes, Lock]:
    content = inputs.lock_content()
    lock = inputs.lock_file.require(content)
    check_digests(lock, file=inputs.lock_file.label)
    assert content is not None, "a lock was required"
    return content, lock


def _supply(inputs: Inputs, lock: Lock) -> None:
    """Fetch whatever the lock needs and the cache lacks."""
    supplier = inputs.supplier()
    supplier.sources(lock.sources)
    supplier.derived(lock)


def _push(inputs: Inputs, request: PushRequest, outgoing: OutgoingBundle, tag: str | None) -> Pushed:
    limits = inputs.demands.limits
    with (
        open_registry(request.reference, inputs.world, limits, plain_http=request.plain_http) as registry,
        ExitStack() as announced,
    ):

        def attach(index: Index) -> None:
            """Sign, and announce: the next thing that happens is that the tag moves."""
            _sign(index, outgoing, request, registry, inputs)
            where, signed = str(replace(request.reference, tag=tag)), request.signing is not None
            event = BundlePushed(outgoing.name, index.digest, where, signed=signed)
            announced.enter_context(audited(inputs, event))

        pushed = push_bundle(outgoing, registry, inputs.world, tag=tag, attach=attach)
        if not isinstance(request.reference, RegistryReference):  # nobody else brings them across an air gap
            for root in trusted_roots(inputs.demands.trust, inputs.trust_files()):
                put_root(root, registry)
        return pushed


def _sign(index: Index, outgoing: OutgoingBundle, request: PushRequest, registry: Registry, inputs: Inputs) -> None:
    """Attach the signature to the bundle, and record it in the cache: who signs here may also sync here."""
    if request.signing is None:
        return
    signature = sign_and_attach(outgoing.name, index, outgoing.content, registry, request.signing)
    kept = BundleRecord(outgoing.name, parse_index(index, where=registry.name), (signature,))
    record_bundle(kept, outgoing.content, inputs.world.store, inputs.world.records)
