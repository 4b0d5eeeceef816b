"""Bundles whose lock is in use here: what the store keeps of them, so that they can be judged again at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, lockfile_manifest, opened
from agent_sync.errors import BlobCorrupt, BytesUnavailable, ContentMismatch, Untrusted
from agent_sync.ports import BlobStore
from agent_sync.store.blobs import whole_blob
from agent_sync.store.reclaiming import BUNDLES
from agent_sync_oci.canonical import canonical_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import OciError
from agent_sync_oci.manifest import read_manifest
from agent_sync_oci.trust.judging import Verdict, judge
from agent_sync_oci.trust.policy import Policy


@dataclass(frozen=True, slots=True)
class KeptBundle:
    """A bundle that held exactly one lockfile: its name, its index, and the Sigstore bundles beside it."""

    name: str
    index: Digest
    signatures: tuple[bytes, ...]


def keep(bundle: OpenedIndex, lock: bytes, signatures: tuple[bytes, ...], store: BlobStore) -> None:
    """The store remembers that this bundle holds this lock, and who signed it; no verdict is remembered."""
    parts = {
        "name": bundle.name,
        "index": _put(bundle.index.content, store),
        "lock": _put(lock, store),
        "signatures": [_put(each, store) for each in signatures],
    }
    store.record(BUNDLES, f"{Digest.of(lock).hex}.{bundle.index.digest.hex}", canonical_json(parts))


def require_signed_lock(lock: bytes, policy: Policy, store: BlobStore, *, name: str | None) -> Verdict | None:
    """The verdict on a bundle that holds `lock` byte for byte and that the policy accepts; None if it asks for none.

    With `name` only bundles of that name count.

    Raises: Untrusted if no such bundle was pulled here, or the policy refuses every one.
    """
    if not policy.requires_signatures:
        return None
    refusals = []
    for kept in _bundles_with(lock, store):
        if name is not None and kept.name != name:
            continue
        verdict = judge(policy, kept.name, kept.index, kept.signatures)
        if verdict.accepted:
            return verdict
        refusals += [f"bundle {kept.name}: {each}" for each in verdict.refusals]
    raise Untrusted(
        subject="agent-sync.lock",
        check="; ".join(refusals)
        or "signatures are required, and no signed bundle that was pulled here holds this lock",
        remedy="agent-sync pull the bundle that holds it",
    )


def _bundles_with(lock: bytes, store: BlobStore) -> Iterator[KeptBundle]:
    """What is damaged, or was made up, is passed over: it can vouch for nothing."""
    for _, content in store.records(BUNDLES, Digest.of(lock).hex):
        try:
            match json.loads(content):
                case {"name": str(name), "index": str(index), "lock": str(held), "signatures": list(signatures)}:
                    found = tuple(whole_blob(Digest.parse(each), store) for each in signatures)
                    if held == Digest.of(lock) and _holds(whole_blob(Digest.parse(index), store), lock):
                        yield KeptBundle(name, Digest.parse(index), found)
                case _:
                    continue
        except (ValueError, TypeError, RecursionError, BlobCorrupt, BytesUnavailable):
            continue


def _holds(index: bytes, lock: bytes) -> bool:
    """Whether the index is that of a bundle with this lockfile: its bytes say so, not the record."""
    try:
        return opened(read_manifest(index, None), where="the store").lockfile == lockfile_manifest(lock).digest
    except (ContentMismatch, OciError):
        return False


def _put(content: bytes, store: BlobStore) -> Digest:
    digest = Digest.of(content)
    if store.size(digest) != len(content):
        with store.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return digest
