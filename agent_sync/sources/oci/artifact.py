"""Fetch artifacts from registries: resolve, check and refetch them, and unpack their layers.

Archives are unpacked over each other, single files under their titles.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from agent_sync.errors import ConfigInvalid, DigestMismatch, LimitExceeded
from agent_sync.limits import Limits, limit_exceeded
from agent_sync.ports import Cancellation, Directory
from agent_sync.sources.base import Pinned, UpstreamState, require_online, require_protocol, require_upstream
from agent_sync.sources.content import PackedTree, store_tree
from agent_sync.sources.local import keep_limits
from agent_sync.sources.oci import OciPin, OciPinned, OciRequest
from agent_sync.tree import RelPath, describe_changes, refuse_collisions, safe_path, sorted_paths
from agent_sync.tree.compression import Decompressing
from agent_sync.tree.names import Globs
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Manifest
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.tar.reader import TarReader
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.ports import World

TITLE = "org.opencontainers.image.title"

_OURS = "application/vnd.agent-sync.source.layer.v1"
_OUR_DIRECTORY = "source/"
_WHITEOUT = ".wh."
_CHUNK_BYTES = 1 << 18
_GZIP_BYTES = 1 << 13  # what follows a member is copied: thousands of members in one piece would take for ever
_TAR_OVERHEAD = 1 << 30  # headers and padding of the most files that any limit allows are far below


def resolve_oci(request: OciRequest, world: World) -> OciPinned:
    """Fetch the files of the artifact that the tag (or digest) names now to the cache.

    Raises: NetworkError, DigestMismatch (wrong bytes, a layer that is no archive), ConfigInvalid (no file in it),
        UnsafePath, LimitExceeded, Untrusted (protocol), BytesUnavailable (offline).
    """
    digest, packed = _fetch_files(request.declared.parsed, request, world)
    return Pinned(request.name, request.declared.recorded(), OciPin(digest, packed))


def check_oci(request: OciRequest, world: World) -> UpstreamState:
    """Compare the digest of the manifest that the reference names now; nothing else is fetched.

    Raises: NetworkError, DigestMismatch, Untrusted, BytesUnavailable (offline).
    """
    reference = request.declared.parsed
    require_protocol(reference.address, request.policy, subject=request.subject)
    require_upstream(request.name, world)
    with _opened(reference, world, request.limits) as registry:
        served = registry.manifest(_wanted(reference)).digest
    same = request.locked is not None and request.locked.pin.digest == served
    return UpstreamState(same, f"sha256:{served.hex[:12]}")


def refetch_oci(request: OciRequest, world: World) -> PackedTree:
    """Fetch the locked artifact by its digest: the tag may have moved. Raises as `resolve_oci`, and LockInvalid."""
    locked = request.pinned
    reference = replace(locked.declaration.parsed, tag=None, digest=locked.pin.digest)
    _, packed = _fetch_files(reference, replace(request, declaration=locked.declaration), world)
    changes = locked.tree.changes_to(packed.files)
    if changes:
        raise DigestMismatch(
            subject=request.subject,
            check=f"the artifact does not hold the locked files: {describe_changes(changes)}",
            remedy="restore the lock from version control, or make it again: agent-sync update",
        )
    return packed


def _fetch_files(reference: RegistryReference, request: OciRequest, world: World) -> tuple[Digest, PackedTree]:
    require_protocol(reference.address, request.policy, subject=request.subject)
    require_online(request.name, world)
    with _opened(reference, world, request.limits) as registry, world.scratch() as scratch:
        manifest = registry.manifest(_wanted(reference))
        if not isinstance(manifest, Manifest):
            raise DigestMismatch(
                subject=request.subject,
                check=f"{manifest.digest} is an index of several artifacts",
                remedy="name the one that is meant, by its own tag or digest",
            )
        layers = Layers(registry, scratch, subject=request.subject, limits=request.limits)
        layers.add(manifest, Globs(request.declared.exclude), world.cancellation)
        packed = store_tree(layers.to_pack(), world.store, subject=request.subject)
    if not packed.files:
        raise ConfigInvalid(subject=request.subject, check="the artifact holds no file", remedy="correct `reference:`")
    return manifest.digest, packed


def _opened(reference: RegistryReference, world: World, limits: Limits) -> AbstractContextManager[Registry]:
    return world.registries.open(reference, timeout_s=limits.fetch_timeout_s, cancellation=world.cancellation)


def _wanted(reference: RegistryReference) -> Digest | str:
    assert reference.wanted is not None, "the configuration lets no other reference through"
    return reference.wanted


class _Span(NamedTuple):
    """Where a file's bytes are: the spooled layer, and the offset in it."""

    layer: RelPath
    offset: int
    size: int
    executable: bool


class Layers:
    """The layers of one artifact, fetched and decompressed into a scratch directory, and the files in them."""

    def __init__(self, registry: Registry, scratch: Directory, *, subject: str, limits: Limits) -> None:
        self._registry = registry
        self._scratch = scratch
        self._subject = subject
        self._limits = limits
        self._files: dict[RelPath, _Span] = {}
        self._left = limits.max_source_size + _TAR_OVERHEAD

    def add(self, manifest: Manifest, exclude: Globs, cancellation: Cancellation) -> None:
        """Add the files of the manifest's layers; a later layer replaces files of an earlier one.

        Raises: DigestMismatch (a layer that is no archive, a link, a whiteout), UnsafePath, LimitExceeded, and what
            reading from the registry raises.
        """
        for number, layer in enumerate(manifest.layers):
            cancellation.check()
            spooled = RelPath(f"layer-{number}")
            self._fetch(layer, spooled)
            for path, place in self._found(layer, spooled):
                if path not in exclude:
                    self._files[path] = place
        refuse_collisions(self._files, subject=self._subject)
        self._keep_limits()

    def to_pack(self) -> Iterator[FileToPack]:
        """Yield the files in the order of a tree."""
        for path in sorted_paths(self._files):
            place = self._files[path]
            yield FileToPack(path, place.size, self._chunks(place), executable=place.executable)

    def _fetch(self, layer: Descriptor, spooled: RelPath) -> None:
        if layer.size > self._left + self._left // 128 + _CHUNK_BYTES:  # a compressor adds hardly anything
            raise self._too_much()
        file = self._scratch.open_new(spooled)
        try:
            decompressor = _decompressor(layer, self._write_to(file.write), max_bytes=self._left, subject=self._subject)
            self._registry.get_blob(layer, decompressor.write)
            decompressor.finish()
        finally:
            file.close()

    def _write_to(self, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def bounded(piece: bytes) -> None:
            self._left -= len(piece)
            if self._left < 0:
                raise self._too_much()
            write(piece)

        return bounded

    def _too_much(self) -> LimitExceeded:
        return limit_exceeded(
            "max_source_size",
            subject=self._subject,
            check=f"the layers hold more than {self._limits.max_source_size} bytes",
            otherwise="use another artifact",
        )

    def _found(self, layer: Descriptor, spooled: RelPath) -> Iterator[tuple[RelPath, _Span]]:
        with self._scratch.open(spooled) as file:
            if not _is_tar(layer.media_type):
                yield self._single(layer, spooled, file)
                return
            reader = TarReader(file, subject=f"{self._subject}, layer {layer.digest}", max_members=self._most_members)
            for member in reader:
                name = self._name(member.name, layer)
                if not member.is_directory and name:
                    yield name, _Span(spooled, member.offset, member.size, member.executable)

    @property
    def _most_members(self) -> int:
        return 2 * self._limits.max_files + 1000  # directories count, too

    def _name(self, name: str, layer: Descriptor) -> RelPath:
        if name.rpartition("/")[2].startswith(_WHITEOUT):
            raise DigestMismatch(
                subject=self._subject,
                check=f"{quoted(name)} removes a file of an earlier layer (a whiteout)",
                remedy="use an artifact without whiteouts",
            )
        if layer.media_type.startswith(_OURS):
            name = name.removeprefix(_OUR_DIRECTORY)
        return safe_path(name, subject=self._subject)

    def _single(self, layer: Descriptor, spooled: RelPath, file: BinaryIO) -> tuple[RelPath, _Span]:
        title = layer.annotations.get(TITLE)
        if title is None:
            raise DigestMismatch(
                subject=self._subject,
                check=f"layer {layer.digest} is {quoted(layer.media_type)}, no tar, and has no title to"
                " be a file under",
                remedy="use an artifact of tar, tar+gzip or tar+zstd layers, or of files with titles",
            )
        size = file.seek(0, 2)
        return safe_path(title, subject=self._subject), _Span(spooled, 0, size, executable=False)

    def _keep_limits(self) -> None:
        total = 0
        for count, (path, place) in enumerate(self._files.items(), 1):
            total += place.size
            keep_limits(self._subject, path, place.size, count, total, self._limits)

    def _chunks(self, place: _Span) -> Iterator[bytes]:
        with self._scratch.open(place.layer) as file:
            file.seek(place.offset)
            left = place.size
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk


def _is_tar(media_type: str) -> bool:
    return media_type.endswith((".tar", "+tar", ".tar.gzip", ".tar+gzip", ".tar+zstd", "/tar", "+gzip", "+zstd"))


class _Decompressor(Protocol):
    def write(self, piece: bytes, /) -> object: ...

    def finish(self) -> None: ...


def _decompressor(
    layer: Descriptor, write: Callable[[bytes], object], *, max_bytes: int, subject: str
) -> _Decompressor:
    if not _is_tar(layer.media_type):
        return _Plain(write)  # a file is what it is, compressed or not
    if layer.media_type.endswith("zstd"):
        return _Zstd(write, max_bytes=max_bytes, subject=subject)
    if layer.media_type.endswith("gzip"):
        return _Gzip(write, subject=subject)
    return _Plain(write)


class _Plain:
    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write

    def finish(self) -> None:
        """Do nothing: all has been written."""


class _Zstd(Decompressing):
    def finish(self) -> None:
        """Do nothing: the archive's own end tells whether all of it came."""


class _Gzip:
    """gzip, a piece at a time, so that a bomb is met while it unfolds; several members are one after the other."""

    def __init__(self, write: Callable[[bytes], object], *, subject: str) -> None:
        self._write = write
        self._subject = subject
        self._inflating = zlib.decompressobj(wbits=31)
        self._is_between_members = False  # where there may be padding

    def write(self, piece: bytes) -> None:
        """Decompress a piece. Raises: DigestMismatch (not gzip), and what `write` raises."""
        try:
            for at in range(0, len(piece), _GZIP_BYTES):
                self._inflate(piece[at : at + _GZIP_BYTES])
        except zlib.error as error:
            raise DigestMismatch(
                subject=self._subject, check=f"a layer is not gzip: {error}", remedy="ask its publisher"
            ) from error

    def _inflate(self, piece: bytes) -> None:
        while piece := piece.lstrip(b"\0") if self._is_between_members else piece:
            self._is_between_members = False
            self._write(self._inflating.decompress(piece, _CHUNK_BYTES))
            piece = self._inflating.unconsumed_tail
            if self._inflating.eof:
                piece = self._inflating.unused_data
                self._inflating = zlib.decompressobj(wbits=31)
                self._is_between_members = True

    def finish(self) -> None:
        """Write what was held back."""
        self._write(self._inflating.flush())
