"""How a lock came to be, for a signed statement: what was declared, and what that led to (SLSA provenance v1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent_sync._version import __version__
from agent_sync.bundle.items import item_of
from agent_sync.lock import GitPin, LocalPin, Lock, LockedSource, OciPin, UrlPin

if TYPE_CHECKING:
    from agent_sync_oci.signing.attestation import Material, Provenance

BUILD_TYPE = "https://agent-sync.dev/update/v1"
BUILDER = "https://agent-sync.dev/agent-sync"


def provenance_of(lock: Lock) -> Provenance:
    """`agent-sync update`, as a build: its parameters are the declarations, its materials what they were resolved to.

    The lock alone decides what it says; the machine and the time do not.
    """
    from agent_sync_oci.signing.attestation import Provenance

    return Provenance(
        build_type=BUILD_TYPE,
        builder=BUILDER,
        builder_version={"agent-sync": __version__},
        parameters={"sources": [_declared(source) for source in lock.sources]},
        materials=[_material(source) for source in lock.sources],
    )


def _declared(source: LockedSource) -> Mapping[str, object]:
    declared = source.declared
    said = {
        "type": declared.type,
        "repo": declared.repo,
        "ref": declared.ref,
        "paths": list(declared.paths),
        "exclude": list(declared.exclude),
        "root": declared.root,
        "url": declared.url,
        "path": declared.path,
        "reference": declared.reference,
    }
    return {"name": source.name, **{key: value for key, value in said.items() if value}}


def _material(source: LockedSource) -> Material:
    from agent_sync_oci.signing.attestation import Material

    item = item_of(source)
    digests = {} if item is None else {"sha256": item.blob.hex}
    match source.pin:
        case GitPin(commit=commit):
            uri = f"git+{source.declared.repo}@{commit}"
            return Material(uri, {**digests, "gitCommit": commit}, source.name)
        case UrlPin(url=url):
            return Material(url, digests, source.name)
        case OciPin(digest=digest):
            return Material(f"oci://{source.declared.reference}", {**digests, "ociDigest": digest.hex}, source.name)
        case LocalPin(path=path):
            return Material(f"file:{path}", digests, source.name)
