"""The contents of `agent-sync.lock` as values: what each source is, and where its files go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from agent_sync.tree import Entry, RelPath, Sha256, Tree
from agent_sync_oci.digest import Digest

# -- What a fetched file is called in its tree.


def url_key(url: str) -> str:
    """The last segment of the address's path, percent-decoded; query and fragment are dropped.

    A trailing slash is passed over; an address without a path gives its host name. The result is not checked yet.
    """
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    return unquote(segments[-1], errors="surrogateescape") if segments else (parts.hostname or "")


# -- What `agent-sync.lock` says, as values: what each source is, and where its files go.

VERSION = 1
SPEC_TOOL_MAP = "spec-v1"

Unknown = Mapping[str, Any]
"""Fields that this version does not know; they survive a rewrite (spec §14.3)."""


@dataclass(frozen=True, slots=True)
class PackedTree:
    """A tree and its packed form: the digest and length of its canonical tar, and Nix's hash of it.

    A lock written by another implementation has the files alone; then the other three are None. `unknown_files` holds
    the fields of single files that this version does not know.
    """

    files: Tree
    blob: Digest | None = None
    size: int | None = None
    nar_hash: str | None = None
    unknown_files: Mapping[RelPath, Unknown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a source's declaration said when it was locked; None and () where it said nothing.

    A lock whose declarations differ from the configuration's is stale.
    """

    type: str
    repo: str | None = None
    ref: str | None = None
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    root: str | None = None
    url: str | None = None
    checksum: str | None = None
    path: str | None = None
    reference: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class GitPin:
    """A commit and its tree (40 hexadecimal digits each), and the locked part of that tree."""

    commit: str
    tree: str
    packed: PackedTree


@dataclass(frozen=True, slots=True)
class UrlPin:
    """An address and the digest of what it gave; `key` is the file's name in the tree, `size` its length in bytes."""

    url: str
    sha256: Sha256
    key: RelPath
    size: int | None = None


@dataclass(frozen=True, slots=True)
class LocalPin:
    """A directory or file of the project, and what it held."""

    path: str
    packed: PackedTree


@dataclass(frozen=True, slots=True)
class OciPin:
    """The manifest of an artifact, and the files of its layers."""

    digest: Digest
    packed: PackedTree


Pin = GitPin | UrlPin | LocalPin | OciPin


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a source's transforms made of it: changed and new files packed, keys that are gone, and the recipe's digest.

    `packed` is None if no file came out different.
    """

    recipe: Digest
    packed: PackedTree | None = None
    removed: tuple[RelPath, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedSource:
    """One source: what was declared, what it resolved to, what its transforms made of it."""

    name: str
    declared: Declared
    pin: Pin
    transformed: Transformed | None = None
    status: str = "ok"
    unknown: Unknown = field(default_factory=dict)
    unknown_resolved: Unknown = field(default_factory=dict)

    @property
    def tree(self) -> Tree:
        """The locked files, before any transform."""
        match self.pin:
            case UrlPin(sha256=sha256, key=key):
                return Tree({key: Entry(sha256)})
            case GitPin(packed=packed) | LocalPin(packed=packed) | OciPin(packed=packed):
                return packed.files

    @property
    def result(self) -> Tree:
        """The files as the transforms leave them: what placements place."""
        if self.transformed is None:
            return self.tree
        changed = {} if self.transformed.packed is None else self.transformed.packed.files
        return self.tree.without(self.transformed.removed).overlaid_by(changed)


@dataclass(frozen=True, slots=True)
class Placement:
    """A source's files go to the directory `to`, each at `to` + its key; `tool` where a tool's map said so.

    `shared`: others may keep files there.
    """

    source: str
    to: RelPath
    tool: str | None = None
    shared: bool = False
    unknown: Unknown = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Outputs that overrides made, by output path; `owners` has the source of each."""

    recipe: Digest
    packed: PackedTree
    owners: Mapping[RelPath, str]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that an earlier lock had written and nothing declares any more; `entry` is as it was written."""

    path: RelPath
    entry: Entry
    source: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The whole lock. Sources are in the order of the configuration, placements in the order of the targets."""

    sources: tuple[LockedSource, ...] = ()
    outputs: tuple[Placement, ...] | None = None
    rendered: Rendered | None = None
    orphans: tuple[Orphan, ...] = ()
    tool_map: str = SPEC_TOOL_MAP
    unknown: Unknown = field(default_factory=dict)

    def source(self, name: str) -> LockedSource | None:
        """The source of that name."""
        return next((source for source in self.sources if source.name == name), None)
