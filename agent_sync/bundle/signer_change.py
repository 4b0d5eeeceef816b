"""Who signed a bundle the last time: a signer that changes is shown, and must be accepted."""

from __future__ import annotations

import hashlib
import json

from agent_sync.bundle.pulling import Found
from agent_sync.errors import Untrusted
from agent_sync.escaping import shown
from agent_sync.ports import BlobStore
from agent_sync.store.records import SIGNERS
from agent_sync_oci.canonical import canonical_json
from agent_sync_oci.signing.signers import KeySigner, Signer


def refuse_other_signers(name: str, found: Found, store: BlobStore, *, accepted: bool) -> None:
    """Nothing, if whoever signed the bundle of this name the last time has signed this one too.

    More signers than the last time are no change: fewer, or others, are. Raises: Untrusted, unless it is `accepted`.
    """
    before, now = _remembered(name, store), _signers(found)
    if accepted or before <= now:
        return
    raise Untrusted(
        subject=f"bundle {name} {found.bundle.digest}",
        check=f"it was signed by {_listed(before)} when it was pulled here last, and now by {_listed(now)}",
        remedy="ask its publisher; if the change is meant: --accept-signer-change",
    )


def remember_signers(name: str, found: Found, store: BlobStore) -> None:
    """The next bundle of this name is compared with this one."""
    if _remembered(name, store) != (now := _signers(found)):
        store.record(SIGNERS, _key(name), canonical_json(sorted(now)))


def _signers(found: Found) -> frozenset[str]:
    """Those whose signatures were found good; anybody can lay others beside a bundle."""
    return frozenset(_spelt(each.signer) for each in found.verdict.checked)


def _spelt(signer: Signer) -> str:
    """Without the label, under which a policy can put another key."""
    return str(KeySigner(signer.public_key) if isinstance(signer, KeySigner) else signer)


def _remembered(name: str, store: BlobStore) -> frozenset[str]:
    for _, content in store.records(SIGNERS, _key(name)):
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, list) and all(isinstance(each, str) for each in said):
            return frozenset(said)
    return frozenset()


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _listed(signers: frozenset[str]) -> str:
    return ", ".join(map(shown, sorted(signers))) or "nobody who is known"
