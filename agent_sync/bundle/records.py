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
from agent_sync.store.directory import BUNDLES, digests_in
from agent_sync.store.verify import is_whole
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, read_manifest
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.trust.policy import Policy
from agent_sync_oci.trust.verdict import Verdict, evaluate

# -- revocable digests -----------------------------------------------------------------------------------------------

_GIT_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def revocable_digests(lock: bytes) -> frozenset[str]:
    """Return every digest in the text of a lock that a revocation may name, and the lock's own.

    Blobs and files are named by their SHA-256, commits and trees by git's ids. The text is searched as it is written
    and as it is parsed: in quotes a digit may be escaped (`\x61`).

    Raises:
        LockInvalid, LimitExceeded: the text is no lock.
    """
    read = read_document(lock, file="the lock", error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
    text = lock + emit(read.data).encode()
    return frozenset({Digest.of(lock), *digests_in(text), *(found.decode() for found in _GIT_ID.findall(text))})


# -- records ---------------------------------------------------------------------------------------------------------

MAX_SIGNATURES = 256
"""The most signatures that are kept of one bundle: enough for any threshold, and a bound if somebody adds one every
day.
"""


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """A bundle of a lock: the name it was pulled or signed under, its index, its Sigstore bundles, and its trusted
    roots.
    """

    name: str
    bundle: BundleIndex
    signatures: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = ()

    def judged(self, policy: Policy) -> Verdict:
        """Evaluate the policy for the bundle as of today."""
        return evaluate(
            policy.with_roots(self.roots),
            self.name,
            self.bundle.digest,
            self.signatures,
            also=self.bundle.manifests,
            own_name=self.bundle.name,
        )


def record_bundle(kept: BundleRecord, lock: bytes, store: BlobStore, records: RecordStore) -> None:
    """Record that this bundle holds this lock, and its signatures. No verdict is recorded.

    Signatures recorded before stay: pushing again does not revoke what others have signed.
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
    """Require that the policy accepts the lock file, which messages call `file`.

    1. Nothing in it is revoked. 2. If signatures are required, a bundle that was pulled or signed here holds the lock
    byte for byte, and is accepted; with `name` only bundles of that name count. 3. If they are not, the bundles it came
    in are not all revoked.

    Raises:
        Untrusted: one of these does not hold.
    """
    named = {*revocable_digests(lock), lockfile_manifest(lock).digest} if policy.revoked else frozenset()
    if revoked := policy.revoked_among(named):
        raise _untrusted(file, "; ".join(revoked), "run agent-sync update, and do not use what was revoked")
    verdicts = [
        (kept, kept.judged(policy)) for kept in _bundles_with(lock, store, records) if name is None or kept.name == name
    ]
    if any(verdict.accepted for _, verdict in verdicts) or not (policy.requires_signatures or verdicts):
        return
    refusals = [f"bundle {kept.name}: {each}" for kept, verdict in verdicts for each in verdict.refusals]
    nothing = "policy requires a signed lock; this lock is in no signed bundle pulled here"
    raise _untrusted(
        file, "; ".join(refusals) or nothing, "pull the bundle that holds this lock: agent-sync pull REFERENCE"
    )


def _untrusted(file: str, check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=file, check=check, remedy=remedy)


def _bundles_with(lock: bytes, store: BlobStore, records: RecordStore) -> Iterator[BundleRecord]:
    for _, record in records.records(BUNDLES, Digest.of(lock).hex):
        if (kept := _read_record(record, lock, store)) is not None:
            yield kept


def _read_record(record: bytes, lock: bytes, store: BlobStore) -> BundleRecord | None:
    """Read a record, comparing all it names with their digests; None if it is damaged or forged."""
    try:
        match read_json(record, subject="a record of the cache"):
            case {"name": str(name), "index": str(index), "signatures": list(signatures), "roots": list(roots)}:
                content = _small_blob(Digest.parse(index), store)
                bundle = parse_index(read_manifest(content, None), where="the cache")
                if bundle.lockfile.digest != lockfile_manifest(lock).digest or not is_name(name):
                    return None
                return BundleRecord(name, bundle, _blobs(signatures, store), _blobs(roots, store))
            case _:
                return None
    except (DigestMismatch, LimitExceeded, BytesUnavailable, ValueError, TypeError):
        return None


def _blobs(digests: Sequence[str], store: BlobStore) -> tuple[bytes, ...]:
    """Return those blobs that are present and whole; a missing one does not invalidate the others."""
    found = []
    for digest in map(Digest.parse, digests[:MAX_SIGNATURES]):
        with suppress(DigestMismatch, BytesUnavailable):
            found.append(_small_blob(digest, store))
    return tuple(found)


def _small_blob(digest: Digest, store: BlobStore) -> bytes:
    """Return a small blob. A forged record could name the largest blob of the cache."""
    size = store.size(digest)
    if size is not None and size > MAX_MANIFEST_BYTES:
        raise DigestMismatch(
            subject=f"blob {digest}",
            check=f"{size} bytes, more than any index or signature has",
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
