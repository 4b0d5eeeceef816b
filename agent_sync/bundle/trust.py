"""Trust in a lock: the policy that `trust:` declares, and records of the bundles that the lock came in.

The records keep signatures and no verdict, so that each bundle can be verified again: policies change.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent_sync.bundle.index import BundleIndex, lockfile_manifest, parse_index
from agent_sync.bundle.names import is_name
from agent_sync.config.model import IdentitySigner as IdentityModel
from agent_sync.config.model import KeySigner as KeyModel
from agent_sync.config.model import TrustConfig, TrustRule
from agent_sync.documents import emit, read_document
from agent_sync.errors import (
    BytesUnavailable,
    ConfigInvalid,
    DigestMismatch,
    LimitExceeded,
    LockInvalid,
    Untrusted,
    UsageError,
)
from agent_sync.events import ignore
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync.ports import BlobStore, Directory, RecordStore
from agent_sync.store.blobs import read_blob
from agent_sync.store.directory import BUNDLES, digests_in
from agent_sync.store.verify import is_whole
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, read_manifest
from agent_sync_oci.signing.keys import load_public
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner, Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.trust import PinnedRoot, Policy, Revocation, Rule, Verdict, evaluate

# -- policy ----------------------------------------------------------------------------------------------------------

MAX_ROOT_BYTES = 4 * 1024 * 1024
_HOW = "add `root:` under `trust:`, or, for keys without a log, `transparency_log: optional` to the rule"

Read = Callable[[str], bytes | None]
Recording = Callable[[str, Callable[[], bytes | None]], bytes | None]
"""Returns what the function reads, and records it under the name: `ReadSet.read`."""


class TrustFiles:
    """Reads the files that `trust:` names: absolute paths through `read`, others below the project's directory."""

    def __init__(self, project: Directory, read: Read, *, recording: Recording) -> None:
        self._project = project
        self._read = read
        self._recording = recording

    def content(self, path: str, *, what: str) -> bytes:
        """Return the file's bytes.

        Raises:
            Untrusted: no such file. A signer who cannot be verified is not trusted.
        """
        whole = posixpath.join(self._project.name, path)
        content = self._recording(whole, lambda: self._read(path) if path == whole else self._below(RelPath(path)))
        if content is None:
            raise Untrusted(
                subject=f"{what} {self.label(path)}",
                check="no such file",
                remedy="put the file there, or correct `trust:`",
            )
        return content

    def label(self, path: str) -> str:
        """Return the path for people: relative to the project where it is below."""
        return path.removeprefix(f"{self._project.name}/")

    def _below(self, path: RelPath) -> bytes | None:
        if self._project.stat(path) is None:
            return None
        with self._project.open(path) as file:
            return file.read(MAX_ROOT_BYTES + 1)


def policy_of(trusts: Iterable[TrustConfig], files: TrustFiles) -> Policy:
    """Return all requirements together: rules add up, revocations unite, and nothing is ever taken away.

    Raises:
        Untrusted: a file is missing, or is not the pinned one.
        UnusableKey: a file holds no public key.
        ConfigInvalid: a rule that nothing, or anything, would satisfy.
    """
    return Policy.united(*(_policy(trust, files) for trust in trusts))


def trusted_roots(trusts: Iterable[TrustConfig], files: TrustFiles) -> tuple[bytes, ...]:
    """Return the trusted roots that are named by files, each once and as it was pinned.

    Raises:
        Untrusted: a file is missing, or is not the pinned one.
    """
    roots = [root for trust in trusts if isinstance(root := _root(trust, files), TrustedRoot)]
    return tuple(dict.fromkeys(root.content for root in roots))


def _policy(trust: TrustConfig, files: TrustFiles) -> Policy:
    root = _root(trust, files)
    try:
        return Policy(
            rules=tuple(_rule(rule, root, files) for rule in trust.rules),
            revoked=tuple(Revocation(each.digest, each.reason) for each in trust.revoked),
            require_signed=trust.require == "signed",
        )
    except ValueError as error:
        raise ConfigInvalid(subject="trust", check=str(error), remedy=_HOW) from error


def _rule(rule: TrustRule, root: TrustedRoot | PinnedRoot | None, files: TrustFiles) -> Rule:
    return Rule(
        bundle=rule.bundle,
        threshold=rule.threshold,
        signers=tuple(_signer(each, files) for each in rule.signers),
        transparency_log=rule.transparency_log == "required",
        root=root,
    )


def _signer(signer: IdentityModel | KeyModel, files: TrustFiles) -> Signer:
    if isinstance(signer, IdentityModel):
        return IdentitySigner(signer.identity, signer.issuer)
    content = files.content(signer.key, what="public key")
    try:
        return KeySigner(load_public(content), files.label(signer.key))
    except UsageError as error:
        raise error.restated(subject=f"public key {files.label(signer.key)}") from error


def _root(trust: TrustConfig, files: TrustFiles) -> TrustedRoot | PinnedRoot | None:
    """Return the trusted root from its file; without a file, the pin of one that may come with a bundle."""
    pinned = None if trust.root_sha256 is None else Digest.parse(trust.root_sha256).hex
    if trust.root is None:
        return None if pinned is None else PinnedRoot(pinned)
    return TrustedRoot.read(files.content(trust.root, what="trusted root"), pinned)


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

    def evaluate(self, policy: Policy) -> Verdict:
        """Evaluate the policy for the bundle as of today."""
        return evaluate(
            policy.with_roots(self.roots),
            self.name,
            self.bundle.digest,
            self.signatures,
            also=self.bundle.manifests,
            own_name=self.bundle.name,
        )


def record_bundle(record: BundleRecord, lock: bytes, store: BlobStore, records: RecordStore) -> None:
    """Record that this bundle holds this lock, and its signatures. No verdict is recorded.

    Signatures recorded before stay: pushing again does not revoke what others have signed.
    """
    key = _bundle_key(record, lock)
    found = (_read_record(content, lock, store) for _, content in records.records(BUNDLES, key))
    before = [each for each in found if each is not None]
    # New signatures come first, so that the bound on their number never drops one that was just verified.
    signatures = dict.fromkeys((*record.signatures, *(each for other in before for each in other.signatures)))
    roots = dict.fromkeys((*record.roots, *(each for other in before for each in other.roots)))
    parts = {
        "name": record.name,
        "index": _put(record.bundle.index.content, store),
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
    # Reading every digest of a lock takes a while: only where something is revoked at all.
    named = {*revocable_digests(lock), lockfile_manifest(lock).digest} if policy.revoked else frozenset()
    if revoked := policy.revoked_among(named):
        raise _untrusted(file, "; ".join(revoked), "run agent-sync update, and do not use what was revoked")
    verdicts = [
        (record, record.evaluate(policy))
        for record in _bundles_with(lock, store, records)
        if name is None or record.name == name
    ]
    if any(verdict.accepted for _, verdict in verdicts) or not (policy.requires_signatures or verdicts):
        return
    refusals = [f"bundle {record.name}: {each}" for record, verdict in verdicts for each in verdict.refusals]
    nothing = "policy requires a signed lock; this lock is in no signed bundle pulled here"
    raise _untrusted(
        file, "; ".join(refusals) or nothing, "pull the bundle that holds this lock: agent-sync pull REFERENCE"
    )


def _untrusted(file: str, check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=file, check=check, remedy=remedy)


def _bundles_with(lock: bytes, store: BlobStore, records: RecordStore) -> Iterator[BundleRecord]:
    for _, content in records.records(BUNDLES, Digest.of(lock).hex):
        if (record := _read_record(content, lock, store)) is not None:
            yield record


def _read_record(content: bytes, lock: bytes, store: BlobStore) -> BundleRecord | None:
    """Read a record, comparing all it names with their digests; None if it is damaged or forged."""
    try:
        match read_json(content, subject="a record of the cache"):
            case {"name": str(name), "index": str(index), "signatures": list(signatures), "roots": list(roots)}:
                bundle = parse_index(read_manifest(_small_blob(Digest.parse(index), store), None), where="the cache")
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


def _bundle_key(record: BundleRecord, lock: bytes) -> str:
    taken_as = Digest.of(canonical_json([record.name, record.bundle.digest]))
    return f"{Digest.of(lock).hex}.{taken_as.hex}"


def _put(content: bytes, store: BlobStore) -> Digest:
    digest = Digest.of(content)
    if not is_whole(digest, store, observer=ignore):
        with store.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return digest
