"""Documents of the verbs about bundles: push, pull, bundle inspect, verify, sign, and copy, and keys generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

from agent_sync.documents_out.sources import DifferenceDocument, difference_document

if TYPE_CHECKING:
    from agent_sync.adapters.key_files import KeyFiles
    from agent_sync.bundle.inspect import BundleDescription, InspectedPart
    from agent_sync.operations.bundle import BundleVerdict, CopyResult, SignResult
    from agent_sync.operations.pull import PullResult
    from agent_sync.operations.push import PushResult
    from agent_sync_oci.signing.verify import VerifiedArtifact
    from agent_sync_oci.trust import RuleVerdict, Verdict


class RuleDocument(TypedDict):
    """One rule of a policy and its outcome."""

    bundle: Annotated[str, "the glob for the names that the rule applies to"]
    threshold: Annotated[int, "how many signers the rule requires"]
    satisfied: Annotated[bool, "whether the rule is satisfied"]
    signers: Annotated[list[str], "the signers of the rule who have signed"]
    passed_over: Annotated[list[str], "signatures that do not count, with the reason"]


class VerdictDocument(TypedDict):
    """What a policy says of a bundle."""

    accepted: Annotated[bool, "whether the bundle is trusted"]
    signed: Annotated[bool, "whether a signer named by a rule has signed the bundle"]
    rules: Annotated[list[RuleDocument], "each rule that matches the name"]
    refusals: Annotated[list[str], "every reason not to use the bundle"]


class PushDocument(TypedDict):
    """What `push` did."""

    name: Annotated[str, "the name that signatures of the bundle are bound to"]
    reference: Annotated[str, "where the bundle is, with its digest"]
    digest: Annotated[str, "the digest that names exactly this bundle"]
    sent: Annotated[list[str], "the parts that were sent"]
    present: Annotated[list[str], "the parts that were already present"]
    sent_bytes: Annotated[int, "how many bytes of parts were sent"]
    signed: Annotated[bool, "whether a signature was added"]


class PullDocument(DifferenceDocument):
    """What `pull` did; `sources` and `outputs` tell what the bundle's lock changes here."""

    name: Annotated[str, "the name that the bundle must be signed for"]
    digest: Annotated[str, "the digest of the bundle"]
    verdict: Annotated[VerdictDocument, "what the policy says of the bundle"]
    fetched: Annotated[list[str], "the parts that were fetched"]
    present: Annotated[list[str], "the parts that were already in the cache"]
    lock_written: Annotated[bool, "whether the lock was written"]
    declined: Annotated[bool, "whether you declined the change; in that case nothing was fetched or written"]


class PartDocument(TypedDict):
    """One part of a bundle."""

    title: Annotated[str, "what the part is, such as `source team-rules`"]
    pinned_at: Annotated[str | None, "what a source is pinned at"]
    blob: Annotated[str, "the digest of the content, as the lock names it"]
    unpacked_bytes: Annotated[int | None, "the size of the content, if the lock has it"]
    manifest: Annotated[str, "the digest of the part's manifest"]
    media_type: Annotated[str, "the media type of the layer"]
    layer: Annotated[str, "the digest of the layer, which is what is sent"]
    bytes: Annotated[int, "the size of the layer"]


class AttachedDocument(TypedDict):
    """An artifact attached to a bundle; nothing about it was verified."""

    manifest: Annotated[str, "the digest of the attached manifest"]
    artifact_type: Annotated[str, "the type of the artifact"]
    states: Annotated[str | None, "of a signature, the type of its statement"]
    claims: Annotated[str | None, "of a signature, the signer that it claims"]


class InspectDocument(TypedDict):
    """What a bundle consists of."""

    name: Annotated[str, "the name that the bundle itself states"]
    digest: Annotated[str, "the digest of the bundle"]
    lock: Annotated[str, "the digest of the lock file in the bundle"]
    bytes: Annotated[int, "the size of everything that is sent"]
    parts: Annotated[list[PartDocument], "each part"]
    attached: Annotated[list[AttachedDocument], "the artifacts attached to the bundle"]


class SignatureCheckDocument(TypedDict):
    """What `bundle verify` found: of a bundle its verdict; with `--signature` who signed a file."""

    accepted: Annotated[bool, "whether the bundle is trusted; of a file, whether the signature is valid"]
    name: NotRequired[Annotated[str, "of a bundle: the name that its signatures must be for"]]
    digest: NotRequired[Annotated[str, "of a bundle: its digest"]]
    signed: NotRequired[Annotated[bool, "of a bundle: whether a signer named by a rule has signed it"]]
    rules: NotRequired[Annotated[list[RuleDocument], "of a bundle: each rule that matches the name"]]
    refusals: NotRequired[Annotated[list[str], "of a bundle: every reason not to use it"]]
    signer: NotRequired[Annotated[str, "of a file: who signed it"]]
    states: NotRequired[Annotated[str | None, "of a file: the type of the statement; null if it is a plain signature"]]
    logged: NotRequired[
        Annotated[bool, "of a file: whether a transparency log of the trusted root holds the signature"]
    ]


class SignDocument(TypedDict):
    """What `bundle sign` did."""

    name: Annotated[str, "the name that the signature binds to the bundle"]
    digest: Annotated[str, "the digest of the bundle"]


class CopyDocument(TypedDict):
    """What `bundle copy` did."""

    name: Annotated[str, "the name that the bundle itself states"]
    reference: Annotated[str, "where the copy is, with its digest"]
    digest: Annotated[str, "the digest of the bundle, the same in both places"]
    blobs: Annotated[int, "how many blobs were copied"]
    bytes: Annotated[int, "how many bytes were copied"]
    skipped: Annotated[int, "how many blobs were already present"]


class KeysDocument(TypedDict):
    """What `keys generate` wrote."""

    private: Annotated[str, "the file with the encrypted private key"]
    public: Annotated[str, "the file with the public key"]
    hint: Annotated[str, "how signatures name the key"]


def push_document(result: PushResult) -> PushDocument:
    """Return the result of `push` as a JSON value."""
    return {
        "name": result.name,
        "reference": str(result.reference),
        "digest": result.digest,
        "sent": [*result.sent],
        "present": [*result.present],
        "sent_bytes": result.sent_bytes,
        "signed": result.signed,
    }


def pull_document(result: PullResult) -> PullDocument:
    """Return the result of `pull` as a JSON value."""
    return {
        "name": result.name,
        "digest": result.digest,
        "verdict": verdict_document(result.verdict),
        **difference_document(result.difference),
        "fetched": [*result.fetched],
        "present": [*result.present],
        "lock_written": result.lock_written,
        "declined": result.declined,
    }


def inspect_document(contents: BundleDescription) -> InspectDocument:
    """Return the contents of a bundle as a JSON value."""
    return {
        "name": contents.name,
        "digest": contents.digest,
        "lock": contents.lock,
        "bytes": contents.size,
        "parts": [_part(each) for each in contents.parts],
        "attached": [
            {
                "manifest": each.manifest,
                "artifact_type": each.artifact_type,
                "states": each.states,
                "claims": each.claims,
            }
            for each in contents.attached
        ],
    }


def signature_check_document(result: BundleVerdict | VerifiedArtifact) -> SignatureCheckDocument:
    """Return the verdict on a bundle, or the valid signature of a file, as a JSON value."""
    from agent_sync.operations.bundle import BundleVerdict

    if not isinstance(result, BundleVerdict):
        states = None if result.statement is None else result.statement.predicate_type
        return {"accepted": True, "signer": str(result.signer), "states": states, "logged": result.logged}
    verdict = verdict_document(result.verdict)
    return {
        "accepted": verdict["accepted"],
        "name": result.name,
        "digest": result.digest,
        "signed": verdict["signed"],
        "rules": verdict["rules"],
        "refusals": verdict["refusals"],
    }


def sign_document(result: SignResult) -> SignDocument:
    """Return the result of `bundle sign` as a JSON value."""
    return {"name": result.name, "digest": result.digest}


def copy_document(result: CopyResult) -> CopyDocument:
    """Return the result of `bundle copy` as a JSON value."""
    return {
        "name": result.name,
        "reference": str(result.reference),
        "digest": result.digest,
        "blobs": result.blobs,
        "bytes": result.bytes,
        "skipped": result.skipped,
    }


def keys_document(files: KeyFiles) -> KeysDocument:
    """Return the files of a new key pair as a JSON value."""
    return {"private": files.private, "public": files.public, "hint": files.hint}


def verdict_document(verdict: Verdict) -> VerdictDocument:
    """Return what a policy says of a bundle as a JSON value."""
    return {
        "accepted": verdict.accepted,
        "signed": verdict.signed,
        "rules": [_rule(each) for each in verdict.rules],
        "refusals": [*verdict.refusals],
    }


def _rule(verdict: RuleVerdict) -> RuleDocument:
    return {
        "bundle": verdict.rule.bundle,
        "threshold": verdict.rule.threshold,
        "satisfied": verdict.satisfied,
        "signers": [str(each) for each in verdict.signers],
        "passed_over": [*verdict.passed_over],
    }


def _part(part: InspectedPart) -> PartDocument:
    return {
        "title": part.title,
        "pinned_at": part.pinned_at,
        "blob": part.blob,
        "unpacked_bytes": part.unpacked_size,
        "manifest": part.manifest,
        "media_type": part.media_type,
        "layer": part.layer,
        "bytes": part.size,
    }
