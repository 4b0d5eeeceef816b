"""Read a lock.

The order of trust: syntax (strict YAML), shape (the document's schema), values (paths, digests that name blobs), then
consistency (no duplicate, no reference to nothing). Errors of the first three have line and column, those of the last
name their subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from agent_sync.documents import DigestTable, Document, gc_paused, read_document
from agent_sync.errors import LockInvalid, UnsafePath
from agent_sync.lock.consistency import REMEDY, refuse_inconsistent
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
    Unknown,
    UrlPin,
    url_key,
)
from agent_sync.tree import ROOT, Entry, RelPath, Sha256, Tree, safe_path, safe_paths
from agent_sync_oci.digest import Digest

MAX_LOCK_BYTES = 256 * 1024 * 1024

_LOCK_KEYS = frozenset({"version", "tool_map", "sources", "outputs", "rendered", "orphans"})
_SOURCE_KEYS = frozenset(
    {"name", "type", "repo", "ref", "paths", "exclude", "root", "url", "checksum", "path", "resolved", "transformed"}
) | {"status", "reference", "digest"}
_RESOLVED_KEYS = {
    "git": frozenset({"commit", "tree", "narHash", "blob", "size", "files"}),
    "url": frozenset({"url", "sha256", "size"}),
    "oci": frozenset({"digest", "narHash", "blob", "size", "files"}),
    "local": frozenset({"path", "narHash", "blob", "size", "files"}),
}
_PLACEMENT_KEYS = frozenset({"source", "to", "tool", "shared"})
_FILE_KEYS = frozenset({"sha256", "executable", "source"})
_NAR_HASH = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")

Location = tuple[str | int, ...]


def read_lock(content: bytes, *, file: str = "agent-sync.lock", elsewhere: frozenset[str] = frozenset()) -> Lock:
    """The lock that `content` spells; `file` is its name in messages, `elsewhere` the sources of the lock that it lies
    over.

    Raises:
        LockInvalid: syntax, shape, version, a value, a duplicate or a reference to nothing.
        UnsafePath: a path that would leave the project or bears a name that is not allowed.
        LimitExceeded: it is larger than 256 MiB.
    """
    with gc_paused():
        document = read_document(content, file=file, error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
        _refuse_other_version(document)
        shaped = _validated(document)
        lock = _Reading(document).lock(shaped)
        refuse_inconsistent(lock, file=file, elsewhere=elsewhere)
        return lock


def _refuse_other_version(document: Document) -> None:
    version = document.data.get("version")
    if version is None:
        raise LockInvalid(subject=document.file, check="it has no `version`", remedy=REMEDY, place=document.place(()))
    if not isinstance(version, int) or isinstance(version, bool):
        check = f"`version` is {version!r}, not an integer"
    elif version != VERSION:
        check = f"its version is {version}, and this agent-sync knows version {VERSION}"
    else:
        return
    remedy = "use the agent-sync that wrote it, or see `agent-sync migrate`"
    raise LockInvalid(subject=document.file, check=check, remedy=remedy, place=document.place(("version",)))


def _validated(document: Document) -> dict[str, Any]:
    from pydantic import ValidationError

    from agent_sync.lock.schema import LockDoc

    try:
        return dict(LockDoc.model_validate(document.data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        location = _existing(first["loc"], document.data)
        raise LockInvalid(
            subject=f"{document.file}, {_spelled(location)}",
            check=f"{first['msg'][0].lower()}{first['msg'][1:]} ({_spelled(first['loc'])})",
            remedy=REMEDY,
            place=document.place(location),
        ) from None


def _existing(location: Location, data: object) -> Location:
    """The longest part of `location` that is in the document: what is missing has no place."""
    found: list[str | int] = []
    for step in location:
        match data:
            case dict() if step in data:
                data = data[step]
            case list() if isinstance(step, int) and step < len(data):
                data = data[step]
            case _:
                break
        found.append(step)
    return tuple(found)


def _spelled(location: Location) -> str:
    """`sources[2].resolved.commit`, as people write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.lstrip(".") or "the document"


class _Reading:
    """Turns the parts of one validated document into values; every fault is put at its place in the file."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def lock(self, doc: Mapping[str, Any]) -> Lock:
        outputs = doc["outputs"]
        rendered = doc["rendered"]
        return Lock(
            sources=tuple(self._source(each, ("sources", i)) for i, each in enumerate(doc["sources"])),
            outputs=None
            if outputs is None
            else tuple(self._placement(each, ("outputs", i)) for i, each in enumerate(outputs)),
            rendered=None if rendered is None else self._rendered(rendered),
            orphans=self._orphans(doc["orphans"]),
            tool_map=doc["tool_map"],
            unknown=_rest(doc, _LOCK_KEYS),
        )

    def _source(self, doc: Mapping[str, Any], at: Location) -> LockedSource:
        transformed = doc.get("transformed")
        return LockedSource(
            name=doc["name"],
            declared=_declared(doc),
            pin=self._pin(doc, at),
            transformed=None if transformed is None else self._transformed(transformed, (*at, "transformed")),
            status=doc.get("status", "ok"),
            unknown=_rest(doc, _SOURCE_KEYS),
            unknown_resolved=_rest(doc["resolved"], _RESOLVED_KEYS[doc["type"]]),
        )

    def _pin(self, doc: Mapping[str, Any], at: Location) -> Pin:
        resolved, here = doc["resolved"], (*at, "resolved")
        match doc["type"]:
            case "git":
                self._require(resolved, ("commit", "tree", "files"), here)
                return GitPin(resolved["commit"], resolved["tree"], self._packed(resolved, here))
            case "url":
                self._require(resolved, ("url", "sha256"), here)
                key = self._path(url_key(resolved["url"]), (*here, "url"))
                return UrlPin(resolved["url"], _sha256(resolved["sha256"]), key, resolved.get("size"))
            case "oci":
                self._require(resolved, ("digest", "files"), here)
                digest = self._digest(resolved, "digest", here)
                assert digest is not None, "it was required"
                return OciPin(digest, self._packed(resolved, here))
            case _:
                self._require(resolved, ("path", "files"), here)
                packed = self._packed(_without_own_name(resolved), here)
                return LocalPin(resolved["path"], packed)

    def _require(self, doc: Mapping[str, Any], keys: tuple[str, ...], at: Location) -> None:
        for key in keys:
            if key not in doc:
                raise self._fault(f"`{key}` is missing", at)

    def _packed(self, doc: Mapping[str, Any], at: Location) -> PackedTree:
        files = doc.get("files", {})
        return PackedTree(
            files=self._tree(files, (*at, "files")),
            blob=self._digest(doc, "blob", at),
            size=doc.get("size"),
            nar_hash=self._nar_hash(doc, at),
            unknown_files={} if isinstance(files, DigestTable) else _unknown_files(files),
        )

    def _tree(self, files: Mapping[str, Mapping[str, Any]], at: Location) -> Tree:
        return Tree(zip(self._paths(tuple(files), at), _entries(files), strict=True))

    def _transformed(self, doc: Mapping[str, Any], at: Location) -> Transformed:
        removed = doc.get("removed", [])
        self._paths(removed, (*at, "removed"), indexed=True)
        return Transformed(
            recipe=self._recipe(doc, at),
            packed=self._packed(doc, at) if doc.get("files") else None,
            removed=tuple(removed),
        )

    def _placement(self, doc: Mapping[str, Any], at: Location) -> Placement:
        return Placement(
            source=doc["source"],
            to=self._directory(doc["to"], (*at, "to")),
            tool=doc.get("tool"),
            shared=doc.get("shared", False),
            unknown=_rest(doc, _PLACEMENT_KEYS),
        )

    def _rendered(self, doc: Mapping[str, Any]) -> Rendered:
        at: Location = ("rendered",)
        packed = self._packed(doc, at)
        for path, file in doc["files"].items():
            self._require(file, ("source",), (*at, "files", path))
        owners = {cast(RelPath, path): file["source"] for path, file in doc["files"].items()}
        return Rendered(self._recipe(doc, at), packed, owners)

    def _orphans(self, files: Mapping[str, Mapping[str, Any]]) -> tuple[Orphan, ...]:
        tree = self._tree(files, ("orphans",))
        return tuple(Orphan(path, entry, files[path].get("source", "")) for path, entry in tree.items())

    def _directory(self, text: str, at: Location) -> RelPath:
        plain = re.sub(r"^(?:\./)+|/+$", "", text)
        return ROOT if plain in ("", ".") and not text.startswith("/") else self._path(plain or text, at)

    def _path(self, text: str, at: Location) -> RelPath:
        try:
            return safe_path(text, subject=f"{self._document.file}, {_spelled(at)}")
        except UnsafePath as error:
            error.place = self._document.place(at)
            raise

    def _paths(self, texts: Sequence[str], at: Location, *, indexed: bool = False) -> Sequence[RelPath]:
        try:
            return safe_paths(texts, subject=self._document.file)
        except UnsafePath:
            for index, text in enumerate(texts):  # which one it was, and where
                self._path(text, (*at, index if indexed else text))
            raise

    def _recipe(self, doc: Mapping[str, Any], at: Location) -> Digest:
        digest = self._digest(doc, "recipe", at)
        if digest is None:
            raise self._fault("`recipe` is missing", at)
        return digest

    def _digest(self, doc: Mapping[str, Any], key: str, at: Location) -> Digest | None:
        if key not in doc:
            return None
        try:
            return Digest.parse(doc[key])
        except ValueError:
            raise self._fault(f"`{key}` is not `sha256:` and 64 lower-case hexadecimal digits", (*at, key)) from None

    def _nar_hash(self, doc: Mapping[str, Any], at: Location) -> str | None:
        text = doc.get("narHash")
        if text is not None and _NAR_HASH.fullmatch(text) is None:
            raise self._fault("`narHash` is not `sha256-` and 44 base64 characters", (*at, "narHash"))
        return cast("str | None", text)

    def _fault(self, check: str, at: Location) -> LockInvalid:
        return LockInvalid(
            subject=f"{self._document.file}, {_spelled(at)}",
            check=check,
            remedy=REMEDY,
            place=self._document.place(at),
        )


def _declared(doc: Mapping[str, Any]) -> Declared:
    """The declaration; what another implementation records under `resolved` alone is taken from there."""
    kind, resolved = doc["type"], doc["resolved"]
    return Declared(
        type=kind,
        repo=doc.get("repo"),
        ref=doc.get("ref"),
        paths=tuple(doc.get("paths", ())),
        exclude=tuple(doc.get("exclude", ())),
        root=doc.get("root"),
        url=doc.get("url", resolved.get("url")) if kind == "url" else None,
        checksum=doc.get("checksum"),
        path=doc.get("path", resolved.get("path")) if kind == "local" else None,
        reference=doc.get("reference"),
        digest=doc.get("digest"),
    )


def _entries(files: Mapping[str, Mapping[str, Any]]) -> Iterable[Entry]:
    if isinstance(files, DigestTable):
        return map(Entry, cast("list[Sha256]", files.digests), files.executable)
    return (Entry(_sha256(file["sha256"]), file.get("executable", False)) for file in files.values())


def _sha256(text: str) -> Sha256:
    """The digest as written, lower-case. What is no digest at all is refused when it is used (`refuse_bad_digests`)."""
    return Sha256(text.lower())


def _rest(doc: Mapping[str, Any], known: frozenset[str]) -> Unknown:
    return {key: value for key, value in doc.items() if key not in known}


def _unknown_files(files: Mapping[str, Mapping[str, Any]]) -> Mapping[RelPath, Unknown]:
    return {cast(RelPath, path): rest for path, file in files.items() if (rest := _rest(file, _FILE_KEYS))}


def _without_own_name(resolved: Mapping[str, Any]) -> Mapping[str, Any]:
    """A foreign lock's local keys may carry the directory's own name in front, as the spec's example does (spec
    §4.2).
    """
    prefix = resolved["path"].rstrip("/").rpartition("/")[2] + "/"
    files = resolved["files"]
    if "blob" in resolved or not files or not all(key.startswith(prefix) for key in files):
        return resolved
    return {**resolved, "files": {key[len(prefix) :]: file for key, file in files.items()}}
