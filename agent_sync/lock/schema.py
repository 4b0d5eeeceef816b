"""The shape of the lock's YAML, mapping by mapping (spec §4.2; docs/reference/lockfile.md).

Typed dictionaries, not models: validating 50,000 file entries as models takes four times as long. Unknown keys pass.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NotRequired

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict

from agent_sync.documents import DigestTable

Text = StrictStr
Size = Annotated[StrictInt, Field(ge=0, le=2**53)]
_OPEN = ConfigDict(extra="allow")


@with_config(_OPEN)
class FileDoc(TypedDict):
    """One locked file. `sha256` should be 64 hexadecimal digits; that is checked when it is used."""

    sha256: Text
    executable: NotRequired[StrictBool]


def _all_at_once(files: Any, one_by_one: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401  # it may be anything
    """The `files`, if each is what it should be: in a table nothing else can be."""
    return files if isinstance(files, DigestTable) else one_by_one(files)


FileDocs = Annotated[dict[Text, FileDoc], WrapValidator(_all_at_once)]


@with_config(_OPEN)
class OwnedFileDoc(TypedDict):
    """A file and the source that it comes from."""

    sha256: Text
    executable: NotRequired[StrictBool]
    source: NotRequired[Text]


@with_config(_OPEN)
class ResolvedDoc(TypedDict):
    """What a source resolved to: of git commit and tree, of a url its address and digest, of a directory its path, of
    an artifact its manifest's digest.
    """

    commit: NotRequired[Text]
    tree: NotRequired[Text]
    url: NotRequired[Text]
    sha256: NotRequired[Text]
    path: NotRequired[Text]
    digest: NotRequired[Text]
    narHash: NotRequired[Text]
    blob: NotRequired[Text]
    size: NotRequired[Size]
    files: NotRequired[FileDocs]


@with_config(_OPEN)
class TransformedDoc(TypedDict):
    """What the transforms of a source made of it."""

    recipe: Text
    narHash: NotRequired[Text]
    blob: NotRequired[Text]
    size: NotRequired[Size]
    files: NotRequired[FileDocs]
    removed: NotRequired[list[Text]]


@with_config(_OPEN)
class SourceDoc(TypedDict):
    """One source: the declaration as it was locked, what it resolved to, and its status."""

    name: Text
    type: Literal["git", "url", "local", "oci"]
    repo: NotRequired[Text]
    ref: NotRequired[Text]
    paths: NotRequired[list[Text]]
    exclude: NotRequired[list[Text]]
    root: NotRequired[Text]
    url: NotRequired[Text]
    checksum: NotRequired[Text]
    path: NotRequired[Text]
    reference: NotRequired[Text]
    digest: NotRequired[Text]
    resolved: ResolvedDoc
    transformed: NotRequired[TransformedDoc]
    status: NotRequired[Text]


@with_config(_OPEN)
class PlacementDoc(TypedDict):
    """Where a source's files go: each to `to` + its key."""

    source: Text
    to: Text
    tool: NotRequired[Text]
    shared: NotRequired[StrictBool]


@with_config(_OPEN)
class RenderedDoc(TypedDict):
    """Outputs that overrides made, by output path."""

    recipe: Text
    narHash: NotRequired[Text]
    blob: NotRequired[Text]
    size: NotRequired[Size]
    files: dict[Text, OwnedFileDoc]


class LockDoc(BaseModel):
    """agent-sync.lock, version 1."""

    model_config = ConfigDict(extra="allow", title="agent-sync.lock")

    version: Literal[1]
    tool_map: Text = "spec-v1"
    sources: list[SourceDoc] = []
    outputs: list[PlacementDoc] | None = None
    rendered: RenderedDoc | None = None
    orphans: dict[Text, OwnedFileDoc] = {}


def lock_schema_text() -> str:
    """What `schemas/agent-sync.lock.schema.json` holds: the JSON Schema of a lock, for editors."""
    return json.dumps(LockDoc.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
