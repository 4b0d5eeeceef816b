"""Bundles whose lock is in use here: what the store keeps of them, so that they can be judged again at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, lockfile_manifest, opened
from agent_sync.bundle.revocable import digests_in
from agent_sync.errors import BytesUnavailable, ContentMismatch, Untrusted
from agent_sync.ports import BlobStore
from agent_sync.store.blobs import whole_blob
from agent_sync.store.reclaiming import BUNDLES
from agent_sync_oci.canonical import canonical_json, read_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import OciError
from agent_sync_oci.manifest import read_manifest
from agent_sync_oci.trust.judging import judge
from agent_sync_oci.trust.policy import Policy


@dataclass(frozen=True, slots=True)
class KeptBundle:
    """A bundle that holds the lockfile in question: its name, its index, the Sigstore bundles and the trusted root that
    lay beside it.
    """

    name: str
    index: Digest
    signatures: tuple[bytes, ...]
    roots: tuple[bytes, ...]


def keep(
    bundle: OpenedIndex, lock: bytes, signatures: Iterable[bytes], store: BlobStore, *, root: bytes | None = None
) -> None:
    """The store remembers that this bundle holds this lock, and who signed it; no verdict is remembered."""
    parts = {
        "index": _put(bundle.index.content, store),
        "lock": _put(lock, store),
        "signatures": [_put(each, store) for each in signatures],
        "roots": [] if root is None else [_put(root, store)],
    }
    store.record(BUNDLES, f"{Digest.of(lock).hex}.{bundle.index.digest.hex}", canonical_json(parts))


def refuse_unvouched(lock: bytes, policy: Policy, store: BlobStore, *, name: str | None) -> None:
    """Nothing, if the policy has nothing against the lockfile.

    1 nothing that stands in it is revoked; 2 where signatures are required, a bundle that was pulled or signed here
    holds it byte for byte, and is accepted. With `name` only bundles of that name count.

    Raises: Untrusted.
    """
    if revoked := policy.revoked_among(digests_in(lock)):
        raise _untrusted("; ".join(revoked), "agent-sync update, and do not use what was revoked")
    if not policy.requires_signatures:
        return
    refusals = []
    for kept in _bundles_with(lock, store):
        if name is None or kept.name == name:
            verdict = judge(policy.with_roots(kept.roots), kept.name, kept.index, kept.signatures)
            if verdict.accepted:
                return
            refusals += [f"bundle {kept.name}: {each}" for each in verdict.refusals]
    nothing = "signatures are required, and no signed bundle that was pulled here holds this lock"
    raise _untrusted("; ".join(refusals) or nothing, "agent-sync pull the bundle that holds it")


def _untrusted(check: str, remedy: str) -> Untrusted:
    return Untrusted(subject="the lock", check=check, remedy=remedy)


def _bundles_with(lock: bytes, store: BlobStore) -> Iterator[KeptBundle]:
    for _, record in store.records(BUNDLES, Digest.of(lock).hex):
        if (kept := _kept(record, lock, store)) is not None:
            yield kept


def _kept(record: bytes, lock: bytes, store: BlobStore) -> KeptBundle | None:
    """What the record names, each compared with its digest; one that is damaged or made up vouches for nothing."""
    try:
        match read_json(record, subject="a record of the store"):
            case {"index": str(index), "signatures": list(signatures), "roots": list(roots)}:
                content = whole_blob(Digest.parse(index), store)
                bundle = opened(read_manifest(content, None), where="the store")
                if bundle.lockfile != lockfile_manifest(lock).digest:
                    return None
                return KeptBundle(bundle.name, bundle.index.digest, _blobs(signatures, store), _blobs(roots, store))
            case _:
                return None
    except (OciError, ValueError, TypeError, ContentMismatch, BytesUnavailable):
        return None


def _blobs(digests: Iterable[str], store: BlobStore) -> tuple[bytes, ...]:
    return tuple(whole_blob(Digest.parse(each), store) for each in digests)


def _put(content: bytes, store: BlobStore) -> Digest:
    digest = Digest.of(content)
    if store.size(digest) != len(content):
        with store.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return digest
