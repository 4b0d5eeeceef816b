"""Bundles whose lock is in use here: what the store keeps of them, so that they can be judged again at any time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, lockfile_manifest, opened
from agent_sync.bundle.naming import is_name
from agent_sync.bundle.revocable import digests_in
from agent_sync.errors import BytesUnavailable, ContentMismatch, Untrusted
from agent_sync.events import ignore
from agent_sync.ports import BlobStore
from agent_sync.store.blobs import whole_blob
from agent_sync.store.records import BUNDLES
from agent_sync.store.verifying import is_whole
from agent_sync_oci.canonical import canonical_json, read_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import OciError
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, read_manifest
from agent_sync_oci.trust.judging import Verdict, judge
from agent_sync_oci.trust.policy import Policy

MAX_SIGNATURES = 256
"""That are kept of one bundle: enough for anybody's threshold, and a bound for who lays down a new one every day."""


@dataclass(frozen=True, slots=True)
class KeptBundle:
    """A bundle that holds the lockfile in question: the name under which it was taken or signed, its index, the
    Sigstore bundles and the trusted roots that lay beside it.
    """

    name: str
    bundle: OpenedIndex
    signatures: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = ()

    def judged(self, policy: Policy) -> Verdict:
        """What the policy says of it today."""
        return judge(
            policy.with_roots(self.roots),
            self.name,
            self.bundle.digest,
            self.signatures,
            also=self.bundle.manifests,
            own_name=self.bundle.name,
        )


def keep(kept: KeptBundle, lock: bytes, store: BlobStore) -> None:
    """The store remembers that this bundle holds this lock, and who signed it; no verdict is remembered.

    Signatures that it has of the bundle already stay: that one was pushed again does not unsay what others have signed.
    """
    key = _key(kept, lock)
    before = [each for _, record in store.records(BUNDLES, key) if (each := _kept(record, lock, store)) is not None]
    signatures = dict.fromkeys((*kept.signatures, *(each for other in before for each in other.signatures)))
    roots = dict.fromkeys((*kept.roots, *(each for other in before for each in other.roots)))
    parts = {
        "name": kept.name,
        "index": _put(kept.bundle.index.content, store),
        "lock": _put(lock, store),
        "signatures": [_put(each, store) for each in list(signatures)[:MAX_SIGNATURES]],
        "roots": [_put(each, store) for each in roots],
    }
    store.record(BUNDLES, key, canonical_json(parts))


def refuse_unvouched(lock: bytes, policy: Policy, store: BlobStore, *, name: str | None, file: str) -> None:
    """Nothing, if the policy has nothing against the lockfile, which messages call `file`.

    1 nothing that stands in it is revoked; 2 where signatures are required, a bundle that was pulled or signed here
    holds it byte for byte, and is accepted; with `name` only bundles of that name count; 3 where they are not, it has
    not come in bundles that are all revoked.

    Raises: Untrusted.
    """
    named = {*digests_in(lock), lockfile_manifest(lock).digest} if policy.revoked else frozenset()
    if revoked := policy.revoked_among(named):
        raise _untrusted(file, "; ".join(revoked), "agent-sync update, and do not use what was revoked")
    verdicts = [(kept, kept.judged(policy)) for kept in _bundles_with(lock, store) if name is None or kept.name == name]
    if any(verdict.accepted for _, verdict in verdicts) or not (policy.requires_signatures or verdicts):
        return
    refusals = [f"bundle {kept.name}: {each}" for kept, verdict in verdicts for each in verdict.refusals]
    nothing = "signatures are required, and no signed bundle that was pulled here holds this lock"
    raise _untrusted(file, "; ".join(refusals) or nothing, "agent-sync pull the bundle that holds it")


def _untrusted(file: str, check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=file, check=check, remedy=remedy)


def _bundles_with(lock: bytes, store: BlobStore) -> Iterator[KeptBundle]:
    for _, record in store.records(BUNDLES, Digest.of(lock).hex):
        if (kept := _kept(record, lock, store)) is not None:
            yield kept


def _kept(record: bytes, lock: bytes, store: BlobStore) -> KeptBundle | None:
    """What the record names, each compared with its digest; one that is damaged or made up vouches for nothing."""
    try:
        match read_json(record, subject="a record of the store"):
            case {"name": str(name), "index": str(index), "signatures": list(signatures), "roots": list(roots)}:
                content = _small_blob(Digest.parse(index), store)
                bundle = opened(read_manifest(content, None), where="the store")
                if bundle.lockfile.digest != lockfile_manifest(lock).digest or not is_name(name):
                    return None
                return KeptBundle(name, bundle, _blobs(signatures, store), _blobs(roots, store))
            case _:
                return None
    except (OciError, ValueError, TypeError, ContentMismatch, BytesUnavailable):
        return None


def _blobs(digests: Sequence[str], store: BlobStore) -> tuple[bytes, ...]:
    """Those that are here and whole: one that is not does not unsay what the others say."""
    found = []
    for digest in map(Digest.parse, digests[:MAX_SIGNATURES]):
        with suppress(ContentMismatch, BytesUnavailable):
            found.append(_small_blob(digest, store))
    return tuple(found)


def _small_blob(digest: Digest, store: BlobStore) -> bytes:
    """The blob's bytes: anybody who may write the store could have a record name its largest blob."""
    size = store.size(digest)
    if size is not None and size > MAX_MANIFEST_BYTES:
        raise ContentMismatch(
            subject=f"blob {digest}",
            check=f"it has {size} bytes, which no index and no signature has",
            remedy="pull the bundle again",
        )
    return whole_blob(digest, store)


def _key(kept: KeptBundle, lock: bytes) -> str:
    taken_as = Digest.of(canonical_json([kept.name, kept.bundle.digest]))
    return f"{Digest.of(lock).hex}.{taken_as.hex}"


def _put(content: bytes, store: BlobStore) -> Digest:
    digest = Digest.of(content)
    if not is_whole(digest, store, observer=ignore):
        with store.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return digest
