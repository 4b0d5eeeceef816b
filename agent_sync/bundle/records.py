"""Record the bundles that a lock was pulled or pushed in, with their signatures, so that each can be verified again.

No verdict is recorded: policies change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent_sync.bundle.index import BundleIndex, lockfile_manifest, parse_index
from agent_sync.bundle.names import is_name
from agent_sync.documents import emit, read_document
from agent_sync.errors import BytesUnavailable, DigestMismatch, LimitExceeded, LockInvalid, Untrusted
from agent_sync.events import ignore
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync.ports import BlobStore, RecordStore
from agent_sync.store.blobs import read_blob
from agent_sync.store.records import BUNDLES, digests_in
from agent_sync.store.verify import is_whole
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, read_manifest
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.trust.policy import Policy
from agent_sync_oci.trust.verdict import Verdict, evaluate

# -- Whatever a revocation may name in a lock.

_GIT_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def revocable_digests(lock: bytes) -> frozenset[str]:
    """Blobs and files by their sha256, commits and trees by git's digest: all that stands in the text of the lock; and
    the lock itself. As it is written, and as it is read: in quotes a digit may be spelt `\\x61`.

    Raises: LockInvalid, LimitExceeded (it is no lock).
    """
    read = read_document(lock, file="the lock", error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
    text = lock + emit(read.data).encode()
    return frozenset({Digest.of(lock), *digests_in(text), *(found.decode() for found in _GIT_ID.findall(text))})


# -- Bundles whose lock is in use here: what the store keeps of them, so that they can be judged again at any time.

MAX_SIGNATURES = 256
"""That are kept of one bundle: enough for anybody's threshold, and a bound for who lays down a new one every day."""


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """A bundle that holds the lockfile in question: the name under which it was taken or signed, its index, the
    Sigstore bundles and the trusted roots that lay beside it.
    """

    name: str
    bundle: BundleIndex
    signatures: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = ()

    def judged(self, policy: Policy) -> Verdict:
        """What the policy says of it today."""
        return evaluate(
            policy.with_roots(self.roots),
            self.name,
            self.bundle.digest,
            self.signatures,
            also=self.bundle.manifests,
            own_name=self.bundle.name,
        )


def record_bundle(kept: BundleRecord, lock: bytes, store: BlobStore, records: RecordStore) -> None:
    """The store remembers that this bundle holds this lock, and who signed it; no verdict is remembered.

    Signatures that it has of the bundle already stay: that one was pushed again does not unsay what others have signed.
    """
    key = _bundle_key(kept, lock)
    before = [
        each for _, record in records.records(BUNDLES, key) if (each := _read_record(record, lock, store)) is not None
    ]
    signatures = dict.fromkeys((*kept.signatures, *(each for other in before for each in other.signatures)))
    roots = dict.fromkeys((*kept.roots, *(each for other in before for each in other.roots)))
    parts = {
        "name": kept.name,
        "index": _put(kept.bundle.index.content, store),
        "lock": _put(lock, store),
        "signatures": [_put(each, store) for each in list(signatures)[:MAX_SIGNATURES]],
        "roots": [_put(each, store) for each in roots],
    }
    records.record(BUNDLES, key, canonical_json(parts))


def require_trusted_lock(
    lock: bytes, policy: Policy, store: BlobStore, records: RecordStore, *, name: str | None, file: str
) -> None:
    """Nothing, if the policy has nothing against the lockfile, which messages call `file`.

    1 nothing that stands in it is revoked; 2 where signatures are required, a bundle that was pulled or signed here
    holds it byte for byte, and is accepted; with `name` only bundles of that name count; 3 where they are not, it has
    not come in bundles that are all revoked.

    Raises: Untrusted.
    """
    named = {*revocable_digests(lock), lockfile_manifest(lock).digest} if policy.revoked else frozenset()
    if revoked := policy.revoked_among(named):
        raise _untrusted(file, "; ".join(revoked), "agent-sync update, and do not use what was revoked")
    verdicts = [
        (kept, kept.judged(policy)) for kept in _bundles_with(lock, store, records) if name is None or kept.name == name
    ]
    if any(verdict.accepted for _, verdict in verdicts) or not (policy.requires_signatures or verdicts):
        return
    refusals = [f"bundle {kept.name}: {each}" for kept, verdict in verdicts for each in verdict.refusals]
    nothing = "signatures are required, and no signed bundle that was pulled here holds this lock"
    raise _untrusted(file, "; ".join(refusals) or nothing, "agent-sync pull the bundle that holds it")


def _untrusted(file: str, check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=file, check=check, remedy=remedy)


def _bundles_with(lock: bytes, store: BlobStore, records: RecordStore) -> Iterator[BundleRecord]:
    for _, record in records.records(BUNDLES, Digest.of(lock).hex):
        if (kept := _read_record(record, lock, store)) is not None:
            yield kept


def _read_record(record: bytes, lock: bytes, store: BlobStore) -> BundleRecord | None:
    """What the record names, each compared with its digest; one that is damaged or made up vouches for nothing."""
    try:
        match read_json(record, subject="a record of the store"):
            case {"name": str(name), "index": str(index), "signatures": list(signatures), "roots": list(roots)}:
                content = _small_blob(Digest.parse(index), store)
                bundle = parse_index(read_manifest(content, None), where="the store")
                if bundle.lockfile.digest != lockfile_manifest(lock).digest or not is_name(name):
                    return None
                return BundleRecord(name, bundle, _blobs(signatures, store), _blobs(roots, store))
            case _:
                return None
    except (DigestMismatch, LimitExceeded, BytesUnavailable, ValueError, TypeError):
        return None


def _blobs(digests: Sequence[str], store: BlobStore) -> tuple[bytes, ...]:
    """Those that are here and whole: one that is not does not unsay what the others say."""
    found = []
    for digest in map(Digest.parse, digests[:MAX_SIGNATURES]):
        with suppress(DigestMismatch, BytesUnavailable):
            found.append(_small_blob(digest, store))
    return tuple(found)


def _small_blob(digest: Digest, store: BlobStore) -> bytes:
    """The blob's bytes: anybody who may write the store could have a record name its largest blob."""
    size = store.size(digest)
    if size is not None and size > MAX_MANIFEST_BYTES:
        raise DigestMismatch(
            subject=f"blob {digest}",
            check=f"it has {size} bytes, which no index and no signature has",
            remedy="pull the bundle again",
        )
    return read_blob(digest, store)


def _bundle_key(kept: BundleRecord, lock: bytes) -> str:
    taken_as = Digest.of(canonical_json([kept.name, kept.bundle.digest]))
    return f"{Digest.of(lock).hex}.{taken_as.hex}"


def _put(content: bytes, store: BlobStore) -> Digest:
    digest = Digest.of(content)
    if not is_whole(digest, store, observer=ignore):
        with store.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return digest
