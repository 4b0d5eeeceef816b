"""A mapping of the lock, read key by key.

Whatever is wrong is a `LockInvalid` with a dotted path and its place in the file. A table remembers which keys were
read; the rest is what a later version wrote there, and survives a rewrite (spec §14.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from agent_sync.errors import LockInvalid, UnsafePath
from agent_sync.tree import ROOT, Entry, RelPath, Sha256, safe_path, safe_paths
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.documents import Document

REMEDY = "restore the lock from version control, or remove it and make it again: agent-sync update"
"""What to do about a lock that cannot be right, whoever finds out."""

Path = tuple[str | int, ...]
Unknown = Mapping[str, Any]
"""Keys that this version does not know, with their values."""

_MAX_SIZE = 2**53  # beyond, JSON readers lose digits
_NAR_HASH = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")


class Kind(NamedTuple):
    """A kind of value: its JSON Schema, how messages call it, what is accepted, and an example."""

    schema: Mapping[str, object]
    name: str
    accepts: Callable[[object], bool]
    example: object


TEXT = Kind({"type": "string"}, "text", lambda value: isinstance(value, str), "x")
TEXTS = Kind(
    {"type": "array", "items": {"type": "string"}},
    "a list of texts",
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    ["x"],
)
FLAG = Kind({"type": "boolean"}, "true or false", lambda value: isinstance(value, bool), example=True)
SIZE = Kind(
    {"type": "integer", "minimum": 0, "maximum": _MAX_SIZE},
    "a length in bytes",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SIZE,
    0,
)
DIGEST = Kind(TEXT.schema, TEXT.name, TEXT.accepts, "sha256:" + "0" * 64)
NAR_HASH = Kind(TEXT.schema, TEXT.name, TEXT.accepts, "sha256-" + "A" * 43 + "=")


class Files(NamedTuple):
    """A map of files in columns: paths, entries, the sources that own them, and keys that are not known here."""

    paths: Sequence[RelPath]
    entries: Sequence[Entry]
    owners: Mapping[RelPath, str]
    unknown: Mapping[RelPath, Unknown]


class Table:
    """One mapping of a lock. Every method that reads a key raises LockInvalid at the key's place, or UnsafePath."""

    def __init__(self, data: Mapping[str, Any], document: Document, path: Path = ()) -> None:
        self._data = data
        self._document = document
        self._path = path
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._data

    @property
    def rest(self) -> Unknown:
        """The keys that nobody has read so far."""
        return {key: value for key, value in self._data.items() if key not in self._read}

    def text(self, key: str) -> str:
        return cast("str", self.required(key, TEXT))

    def text_or(self, key: str, default: str) -> str:
        return cast("str", self.optional(key, TEXT, default))

    def text_or_none(self, key: str) -> str | None:
        return cast("str | None", self.optional(key, TEXT, None))

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """Return the text at `key`, which must be one of these."""
        text = self.text(key)
        if text not in known:
            raise self.error(f"must be one of {', '.join(known)}, not {quoted(text)}", key)
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(cast("list[str]", self.optional(key, TEXTS, [])))

    def flag(self, key: str) -> bool:
        return cast("bool", self.optional(key, FLAG, default=False))

    def size(self, key: str) -> int | None:
        return cast("int | None", self.optional(key, SIZE, None))

    def digest(self, key: str) -> Digest:
        return self._digest(key, self.required(key, DIGEST))

    def digest_or_none(self, key: str) -> Digest | None:
        text = self.optional(key, DIGEST, None)
        return None if text is None else self._digest(key, text)

    def sha256(self, key: str) -> Sha256:
        """Return the digits as written, in lower case. What is no digest at all is refused when it is used."""
        return Sha256(self.text(key).lower())

    def nar_hash(self, key: str) -> str | None:
        text = cast("str | None", self.optional(key, NAR_HASH, None))
        if text is not None and _NAR_HASH.fullmatch(text) is None:
            raise self.error(f"`{key}` is not `sha256-` and 44 base64 characters", key)
        return text

    def directory(self, key: str) -> RelPath:
        """Return the directory at `key`; `./` is the root."""
        text = self.text(key)
        plain = re.sub(r"^(?:\./)+|/+$", "", text)
        if plain in ("", ".") and not text.startswith("/"):
            return ROOT
        return self.safe_path(plain or text, key)

    def paths(self, key: str) -> tuple[RelPath, ...]:
        return tuple(self._safe_paths(self.texts(key), lambda index: (key, index)))

    def table(self, key: str) -> Table:
        return Table(self._mapping(key, required=True), self._document, (*self._path, key))

    def table_or_none(self, key: str, *, nullable: bool = False) -> Table | None:
        if key not in self._data or (nullable and self._data[key] is None):
            self._read.add(key)
            return None
        return self.table(key)

    def tables(self, key: str, *, nullable: bool = False) -> list[Table] | None:
        """Return the mappings in the list at `key`; None if there is none, or with `nullable` if it is null."""
        self._read.add(key)
        if key not in self._data or (nullable and self._data[key] is None):
            return None
        items = self._data[key]
        if not isinstance(items, list):
            raise self.error(f"must be a list, not {_described(items)}", key)
        for index, item in enumerate(items):
            if not isinstance(item, Mapping):
                raise self.error(f"must be a mapping, not {_described(item)}", key, index)
        return [Table(item, self._document, (*self._path, key, index)) for index, item in enumerate(items)]

    def files(self, key: str, *, required: bool = True, owned: bool = False) -> Files:
        """Return the map of files at `key`; of `owned` ones the source is read too."""
        from agent_sync.documents import DigestTable

        files = self._mapping(key, required=required)
        if isinstance(files, DigestTable):  # as `lock_bytes` wrote them: nothing but digests can be in there
            entries: list[Entry] = list(map(Entry, cast("list[Sha256]", files.digests), files.executable))
            return Files(self._safe_paths(files.names, lambda index: (key, files.names[index])), entries, {}, {})
        tables = [self._file(key, name, file) for name, file in files.items()]
        names = list(files)
        entries = [Entry(each.sha256("sha256"), each.flag("executable")) for each in tables]
        owners = [each.text_or("source", "") if owned else "" for each in tables]
        paths = self._safe_paths(names, lambda index: (key, names[index]))
        return Files(
            paths,
            entries,
            {path: owner for path, owner in zip(paths, owners, strict=True) if owner},
            {path: rest for path, each in zip(paths, tables, strict=True) if (rest := each.rest)},
        )

    def safe_path(self, text: str, *at: str | int) -> RelPath:
        """Return `text` as a path of the lock's; `at` is the key that has it."""
        try:
            return safe_path(text, subject=self._subject(*at))
        except UnsafePath as error:
            error.place = self._document.place((*self._path, *at))
            raise

    def error(self, check: str, *at: str | int) -> LockInvalid:
        """Return the error for this table, or for what is `at` a key of it."""
        return LockInvalid(
            subject=self._subject(*at), check=check, remedy=REMEDY, place=self._document.place((*self._path, *at))
        )

    def required(self, key: str, kind: Kind) -> object:
        if key not in self._data:
            raise self.error(f"`{key}` is missing")
        return self.optional(key, kind, None)

    def optional(self, key: str, kind: Kind, default: object) -> object:
        self._read.add(key)
        if key not in self._data:
            return default
        value = self._data[key]
        if not kind.accepts(value):
            raise self.error(f"must be {kind.name}, not {_described(value)}", key)
        return value

    def _mapping(self, key: str, *, required: bool) -> Mapping[str, Any]:
        self._read.add(key)
        if key not in self._data:
            if required:
                raise self.error(f"`{key}` is missing")
            return {}
        value = self._data[key]
        if not isinstance(value, Mapping):
            raise self.error(f"must be a mapping, not {_described(value)}", key)
        return value

    def _file(self, key: str, name: str, file: object) -> Table:
        if not isinstance(file, Mapping):
            raise self.error(f"must be a mapping, not {_described(file)}", key, name)
        return Table(file, self._document, (*self._path, key, name))

    def _digest(self, key: str, text: object) -> Digest:
        try:
            return Digest.parse(cast("str", text))
        except ValueError:
            raise self.error(f"`{key}` is not `sha256:` and 64 lower-case hexadecimal digits", key) from None

    def _safe_paths(self, texts: Sequence[str], at: Callable[[int], Path]) -> Sequence[RelPath]:
        try:
            return safe_paths(texts, subject=self._document.file)
        except UnsafePath:
            for index, text in enumerate(texts):  # which one, and where
                self.safe_path(text, *at(index))
            raise

    def _subject(self, *at: str | int) -> str:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*self._path, *at))
        return f"{self._document.file}, {path.lstrip('.') or 'the document'}"


def _described(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return quoted(value)
        case Mapping():
            return "a mapping"
        case _:
            return "a list"
