"""Documents of the verbs about the machine: init, info, the cache commands, and the nix commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

from agent_sync.documents_out.document import ErrorDocument, error_document

if TYPE_CHECKING:
    from agent_sync.operations.info import InfoResult
    from agent_sync.operations.init import InitResult
    from agent_sync.operations.nix import NixExportResult, NixHashResult, NixImportResult, NixPath
    from agent_sync.store.audit import Audit, StoredBlob
    from agent_sync.store.cache import Reclaimed


class InitDocument(TypedDict):
    """What `init` wrote."""

    written: Annotated[list[str], "the files that were written"]
    tools: Annotated[list[str], "the tools that the configuration is for"]
    tools_found: Annotated[bool, "whether these tools are used in this directory"]


class ConfigFileDocument(TypedDict):
    """A file that may hold a configuration or a policy."""

    level: Annotated[str, "system, user, project, or policy"]
    path: Annotated[str, "the absolute path"]
    found: Annotated[bool, "whether the file exists"]


class LockFileDocument(TypedDict):
    """The lock file."""

    path: Annotated[str, "the absolute path"]
    found: Annotated[bool, "whether the file exists"]


class CacheSizeDocument(TypedDict):
    """The cache of this user."""

    path: Annotated[str, "the absolute path"]
    bytes: Annotated[int, "how many bytes it holds"]


class ToolDocument(TypedDict):
    """One tool."""

    name: Annotated[str, "the name of the tool"]
    destination: Annotated[str, "the directory that the tool reads"]
    shared: Annotated[bool, "whether the user keeps other files in that directory"]
    custom: Annotated[bool, "whether the configuration defines the tool"]


class InfoDocument(TypedDict):
    """What `info` found."""

    distribution: Annotated[str, "the name of the Python distribution"]
    version: Annotated[str, "the version of the program and the library"]
    spec_version: Annotated[str, "the version of the specification"]
    format_version: Annotated[int, "the version of the configuration and the lock"]
    config_files: Annotated[list[ConfigFileDocument], "the files that may hold a configuration or a policy"]
    inherit: Annotated[bool, "whether the user's and the system's configuration are read"]
    lock: Annotated[LockFileDocument, "the lock file"]
    cache: Annotated[CacheSizeDocument, "the cache"]
    tool_map: Annotated[str, "the built-in tool map in use"]
    tools: Annotated[list[ToolDocument], "every known tool"]


class BlobUseDocument(TypedDict):
    """One use of a blob."""

    lock: Annotated[str, "the path of the lock that needs the blob"]
    what: Annotated[str, "what the blob is in that lock, such as `source team-rules`"]


class CachedBlobDocument(TypedDict):
    """One blob of the cache."""

    digest: Annotated[str, "the digest"]
    bytes: Annotated[int, "the size"]
    uses: Annotated[list[BlobUseDocument], "what needs the blob"]


class CacheListDocument(TypedDict):
    """What is in the cache."""

    blobs: Annotated[list[CachedBlobDocument], "each blob"]
    bytes: Annotated[int, "the size of all blobs together"]


class CacheVerifyDocument(TypedDict):
    """What `cache verify` found."""

    checked: Annotated[int, "how many blobs were hashed"]
    corrupt: Annotated[list[str], "the digests of corrupt blobs, which were set aside"]
    disagreements: Annotated[list[ErrorDocument], "where a lock disagrees with its blob"]


class CacheGcDocument(TypedDict):
    """What `cache gc` deleted."""

    removed: Annotated[list[str], "the digests of the blobs that were deleted"]
    kept: Annotated[int, "how many blobs were kept"]
    freed_bytes: Annotated[int, "how many bytes were freed"]
    forgotten: Annotated[list[str], "the paths of locks that were not used lately and no longer keep anything"]


class NixPathDocument(TypedDict):
    """One path of the Nix store."""

    path: Annotated[str, "the store path"]
    what: Annotated[str, "the part of the lock that it holds, such as `source team-rules`"]


class NixHashDocument(TypedDict):
    """What `nix hash` computed."""

    path: Annotated[str, "the absolute path"]
    narHash: Annotated[str, "the narHash, in SRI form"]  # as Nix and the lock spell it


class NixImportDocument(TypedDict):
    """What `nix import` added."""

    paths: Annotated[list[NixPathDocument], "the paths that are now in the Nix store"]


class NixExportDocument(TypedDict):
    """What `nix export` wrote."""

    directory: Annotated[str, "the absolute path of the binary cache"]
    paths: Annotated[list[NixPathDocument], "the paths that the binary cache serves"]
    signed: Annotated[bool, "whether the paths are signed"]


def init_document(result: InitResult) -> InitDocument:
    """Return the result of `init` as a JSON value."""
    return {"written": [*result.written], "tools": [*result.tools], "tools_found": result.found}


def info_document(result: InfoResult) -> InfoDocument:
    """Return the result of `info` as a JSON value."""
    return {
        "distribution": result.distribution,
        "version": result.version,
        "spec_version": result.spec_version,
        "format_version": result.format_version,
        "config_files": [{"level": file.level, "path": file.path, "found": file.found} for file in result.config_files],
        "inherit": result.inherit,
        "lock": {"path": result.lock, "found": result.lock_found},
        "cache": {"path": result.cache, "bytes": result.cache_bytes},
        "tool_map": result.tool_map,
        "tools": [
            {
                "name": name,
                "destination": f"{place.destination}/",
                "shared": place.shared,
                "custom": name in result.custom,
            }
            for name, place in result.tools.items()
        ],
    }


def cache_list_document(blobs: Sequence[StoredBlob]) -> CacheListDocument:
    """Return the blobs of the cache as a JSON value."""
    return {
        "blobs": [
            {
                "digest": blob.digest,
                "bytes": blob.size,
                "uses": [{"lock": use.lock, "what": use.what} for use in blob.uses],
            }
            for blob in blobs
        ],
        "bytes": sum(blob.size for blob in blobs),
    }


def cache_verify_document(audit: Audit) -> CacheVerifyDocument:
    """Return the result of `cache verify` as a JSON value."""
    return {
        "checked": audit.checked,
        "corrupt": [*audit.corrupt],
        "disagreements": [error_document(error) for error in audit.disagreements],
    }


def cache_gc_document(reclaimed: Reclaimed) -> CacheGcDocument:
    """Return the result of `cache gc` as a JSON value."""
    return {
        "removed": [*reclaimed.removed],
        "kept": len(reclaimed.kept),
        "freed_bytes": reclaimed.freed_bytes,
        "forgotten": [root.path for root in reclaimed.forgotten],
    }


def nix_hash_document(result: NixHashResult) -> NixHashDocument:
    """Return the result of `nix hash` as a JSON value."""
    return {"path": result.path, "narHash": result.nar_hash}


def nix_import_document(result: NixImportResult) -> NixImportDocument:
    """Return the result of `nix import` as a JSON value."""
    return {"paths": _paths(result.paths)}


def nix_export_document(result: NixExportResult) -> NixExportDocument:
    """Return the result of `nix export` as a JSON value."""
    return {"directory": result.directory, "paths": _paths(result.paths), "signed": result.signed}


def _paths(paths: Iterable[NixPath]) -> list[NixPathDocument]:
    return [{"path": each.path, "what": each.what} for each in paths]
