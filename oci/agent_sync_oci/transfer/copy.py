"""Copy an artifact: everything that a manifest reaches, byte for byte, so that digests and signatures stay good."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter
from typing import BinaryIO

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound
from agent_sync_oci.manifest import IMAGE_INDEX, IMAGE_MANIFEST, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import OpenBody, Registry, Write, never_cancelled
from agent_sync_oci.transfer.concurrent import Pipe, concurrently
from agent_sync_oci.transfer.referrers import attach, list_referrers

BlobUpload = tuple[Descriptor, OpenBody]


MAX_MANIFESTS = 10_000
MAX_MANIFESTS_BYTES = 64 * 1024 * 1024
"""Of one artifact, which are held in memory. A few kilobytes of indexes can reach any number through each other."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How many blobs and bytes were sent, and how many blobs the target had or was said to have."""

    blobs: int = 0
    bytes: int = 0
    skipped: int = 0


def push_blobs(registry: Registry, blobs: Iterable[BlobUpload], *, mount_from: str | None = None) -> TransferResult:
    """Send several blobs at once, each only once, and none that the registry has.

    `mount_from` names a repository of the same registry that may have some of them. A body is opened only if the blob
    is needed. Raises the first error, when all transfers that had begun have ended.
    """
    once = {blob.digest: (blob, open_body) for blob, open_body in blobs}

    def put(outgoing: BlobUpload) -> Descriptor | None:
        blob, open_body = outgoing
        opened = threading.Event()

        def open_and_note() -> BinaryIO:
            opened.set()  # only then was the blob needed
            return open_body()

        registry.put_blob(blob, open_and_note, mount_from=mount_from)
        return blob if opened.is_set() else None

    sent = [blob for blob in concurrently(put, once.values()) if blob is not None]
    return TransferResult(len(sent), sum(blob.size for blob in sent), len(once) - len(sent))


def copy(
    source: Registry,
    target: Registry,
    root: Digest,
    *,
    with_referrers: bool,
    have: Container[Digest] = (),
    tag: str | None = None,
    mount_from: str | None = None,
    check: Callable[[], object] = never_cancelled,
) -> TransferResult:
    """Copy the manifest `root` and all that it reaches; `tag`, if given, names it in the target.

    Blobs go first, then manifests, each after what it names, and the tag moves last, so that whoever looks meanwhile
    sees nothing that is not whole.

    Args:
        with_referrers: copy what is attached to any of the manifests, too, and what is attached to that.
        have: blobs that the receiver has, and that are left out.
        mount_from: a repository of the target's registry that may have some of the blobs.
        check: called between pieces; what it raises ends the copy.
    """
    reached = _walk(source, root, with_referrers=with_referrers)
    blobs = {blob.digest: blob for manifest in reached.values() for blob in _blobs(manifest)}
    wanted = [blob for digest, blob in sorted(blobs.items()) if digest not in have]
    sent = push_blobs(target, (_upload(source, blob, check) for blob in wanted), mount_from=mount_from)
    _put_manifests(target, reached)
    if tag is not None:
        target.put_manifest(reached[root], tag=tag)
    return TransferResult(sent.blobs, sent.bytes, sent.skipped + len(blobs) - len(wanted))


_Reached = dict[Digest, Manifest | Index]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A manifest that another one lists, or that is listed as a referrer of `subject`."""

    listed: Descriptor
    subject: Digest | None = None


def _walk(source: Registry, root: Digest, *, with_referrers: bool) -> _Reached:
    """Return every manifest that is to be copied, by its digest."""
    first = source.manifest(root)
    reached: _Reached = {root: first}
    found = [first]
    while found:
        leads = concurrently(partial(_listed_by, source, with_referrers=with_referrers), found)
        new = {each.listed.digest: each for some in leads for each in some if each.listed.digest not in reached}
        _check_limits(source, root, reached, new.values())
        found = [each for each in concurrently(partial(_follow, source), new.values()) if each is not None]
        reached.update((each.digest, each) for each in found)
    return reached


def _listed_by(source: Registry, manifest: Manifest | Index, *, with_referrers: bool) -> list[_Listed]:
    referrers = list_referrers(source, manifest.digest) if with_referrers else ()
    attached = [_Listed(each, manifest.digest) for each in referrers if _is_manifest(each)]
    # Children last, since the last one counts: what is listed as a child must be there.
    return [*attached, *map(_Listed, _children(manifest))]


def _follow(source: Registry, lead: _Listed) -> Manifest | Index | None:
    """Return the manifest; None for what is listed as a referrer and is none, which anybody who may push can do."""
    try:
        manifest = source.manifest(lead.listed.digest)
    except (DigestMismatch, NotFound, LimitExceeded):
        if lead.subject is None:
            raise
        return None
    if lead.subject is not None:
        return manifest if manifest.subject is not None and manifest.subject.digest == lead.subject else None
    if (manifest.media_type, len(manifest.content)) != (lead.listed.media_type, lead.listed.size):
        raise DigestMismatch(
            subject=f"manifest {manifest.digest} in {source.name}",
            check=f"{len(manifest.content)} bytes of {manifest.media_type}, but the index that lists it says "
            f"{lead.listed.size} of {lead.listed.media_type}",
        )
    return manifest


def _check_limits(source: Registry, root: Digest, reached: _Reached, new: Collection[_Listed]) -> None:
    size = sum(len(each.content) for each in reached.values()) + sum(each.listed.size for each in new)
    if len(reached) + len(new) > MAX_MANIFESTS or size > MAX_MANIFESTS_BYTES:
        raise LimitExceeded(
            subject=f"manifest {root} in {source.name}",
            check=f"reaches more than {MAX_MANIFESTS} manifests or {MAX_MANIFESTS_BYTES} bytes of them",
        )


def _is_manifest(listed: Descriptor) -> bool:
    return listed.media_type in (IMAGE_INDEX, IMAGE_MANIFEST)


def _children(manifest: Manifest | Index) -> Iterable[Descriptor]:
    return filter(_is_manifest, manifest.manifests) if isinstance(manifest, Index) else ()


def _blobs(manifest: Manifest | Index) -> Iterable[Descriptor]:
    """Return what a registry stores as blobs, which is whatever an index lists beside manifests."""
    if isinstance(manifest, Manifest):
        return (manifest.config, *manifest.layers)
    return (each for each in manifest.manifests if not _is_manifest(each))


def _upload(source: Registry, blob: Descriptor, check: Callable[[], object]) -> BlobUpload:
    def produce(write: Write) -> None:
        def checked(piece: bytes) -> None:
            check()
            write(piece)

        source.get_blob(blob, checked)

    return blob, lambda: io.BufferedReader(Pipe(produce))


def _put_manifests(target: Registry, reached: _Reached) -> None:
    """Send each manifest after what it lists, and after its subject."""
    # A registry may refuse a manifest that names what it does not have yet.
    order = TopologicalSorter({digest: _before(manifest) & reached.keys() for digest, manifest in reached.items()})
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        concurrently(partial(_put_one_by_one, target), _by_subject(reached[digest] for digest in ready))
        order.done(*ready)


def _before(manifest: Manifest | Index) -> set[Digest]:
    before = {each.digest for each in _children(manifest)}
    return before if manifest.subject is None else before | {manifest.subject.digest}


def _by_subject(manifests: Iterable[Manifest | Index]) -> Iterable[list[Manifest | Index]]:
    """Group manifests by subject: those of one subject may share one list, which is changed by one writer at a time."""
    groups: dict[Digest, list[Manifest | Index]] = {}
    for manifest in sorted(manifests, key=lambda each: each.digest):
        groups.setdefault(manifest.digest if manifest.subject is None else manifest.subject.digest, []).append(manifest)
    return groups.values()


def _put_one_by_one(target: Registry, manifests: Iterable[Manifest | Index]) -> None:
    for manifest in manifests:
        if manifest.subject is None:
            target.put_manifest(manifest)
        else:
            attach(target, manifest)
