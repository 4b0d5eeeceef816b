"""Write a lock as its one canonical text, and migrate earlier versions (docs/reference/lockfile.md, spec §14.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_sync.lock.model import (
    VERSION,
    Declared,
    GitPin,
    LocalPin,
    Lock,
    LockedSource,
    OciPin,
    Orphan,
    PackedTree,
    Pin,
    Placement,
    Rendered,
    Transformed,
    UrlPin,
)
from agent_sync.lock.reader import read_lock
from agent_sync.tree import ROOT, Entry, RelPath

# -- A `Lock` -> its one canonical text (docs/reference/lockfile.md).


def lock_bytes(lock: Lock) -> bytes:
    """The text of the lock: a function of its values alone, so that equal locks are equal files."""
    from agent_sync.documents import emit

    return emit(_document(lock)).encode()


def _document(lock: Lock) -> dict[str, Any]:
    return {
        "version": VERSION,
        "tool_map": lock.tool_map,
        "sources": [_source(source) for source in lock.sources],
        **({} if lock.outputs is None else {"outputs": [_placement(each) for each in lock.outputs]}),
        **({} if lock.rendered is None else {"rendered": _rendered(lock.rendered)}),
        **({"orphans": _orphans(lock.orphans)} if lock.orphans else {}),
        **lock.unknown,
    }


def _source(source: LockedSource) -> dict[str, Any]:
    return {
        "name": source.name,
        **_declared(source.declared),
        "resolved": {**_pin(source.pin), **source.unknown_resolved},
        **({} if source.transformed is None else {"transformed": _transformed(source.transformed)}),
        "status": source.status,
        **source.unknown,
    }


def _declared(declared: Declared) -> dict[str, Any]:
    said = {
        "type": declared.type,
        "repo": declared.repo,
        "ref": declared.ref,
        "paths": list(declared.paths),
        "exclude": list(declared.exclude),
        "root": declared.root,
        "url": declared.url,
        "checksum": declared.checksum,
        "path": declared.path,
        "reference": declared.reference,
        "digest": declared.digest,
    }
    return {key: value for key, value in said.items() if value not in (None, [])}


def _pin(pin: Pin) -> dict[str, Any]:
    match pin:
        case GitPin():
            return {"commit": pin.commit, "tree": pin.tree, **_packed(pin.packed)}
        case UrlPin():
            return {"url": pin.url, "sha256": pin.sha256, **({} if pin.size is None else {"size": pin.size})}
        case LocalPin():
            return {"path": pin.path, **_packed(pin.packed)}
        case OciPin():
            return {"digest": pin.digest, **_packed(pin.packed)}


def _packed(packed: PackedTree) -> dict[str, Any]:
    known = {"narHash": packed.nar_hash, "blob": packed.blob, "size": packed.size}
    return {**{key: value for key, value in known.items() if value is not None}, "files": _files(packed)}


def _files(packed: PackedTree) -> dict[str, Any]:
    if not packed.unknown_files:
        return {path: _file(entry) for path, entry in packed.files.items()}
    return {path: {**_file(entry), **packed.unknown_files.get(path, {})} for path, entry in packed.files.items()}


def _file(entry: Entry) -> dict[str, Any]:
    return {"sha256": entry.sha256, "executable": True} if entry.executable else {"sha256": entry.sha256}


def _owned_files(files: Mapping[RelPath, Entry], owners: Mapping[RelPath, str]) -> dict[str, Any]:
    return {path: {**_file(entry), "source": owners[path]} for path, entry in files.items()}


def _transformed(transformed: Transformed) -> dict[str, Any]:
    return {
        "recipe": transformed.recipe,
        **({} if transformed.packed is None else _packed(transformed.packed)),
        **({"removed": list(transformed.removed)} if transformed.removed else {}),
    }


def _placement(placement: Placement) -> dict[str, Any]:
    return {
        "source": placement.source,
        "to": "./" if placement.to == ROOT else f"{placement.to}/",
        **({} if placement.tool is None else {"tool": placement.tool}),
        **({"shared": True} if placement.shared else {}),
        **placement.unknown,
    }


def _rendered(rendered: Rendered) -> dict[str, Any]:
    packed = _packed(rendered.packed)
    return {"recipe": rendered.recipe, **packed, "files": _owned_files(rendered.packed.files, rendered.owners)}


def _orphans(orphans: tuple[Orphan, ...]) -> dict[str, Any]:
    return {orphan.path: {**_file(orphan.entry), "source": orphan.source} for orphan in orphans}


# -- Locks of earlier versions -> the current one (spec §14.3).


def migrate_lock(content: bytes, *, file: str) -> bytes:
    """The lock in the current version's canonical spelling. Version 1 is the first: only the spelling can change.

    Raises: LockInvalid for a version that no step leads from.
    """
    lock: Lock = read_lock(content, file=file)
    return lock_bytes(lock)
