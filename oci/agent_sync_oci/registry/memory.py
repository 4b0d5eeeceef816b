"""A repository in memory: for tests, and the shortest definition of what the protocol means."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound
from agent_sync_oci.manifest import Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import MAX_REFERRERS, OpenBody, Write, chunks_of, copy_verified
from agent_sync_oci.text import quoted


class MemoryRegistry:
    """Implements `Registry`. One that does not list referrers is like a registry from before that API."""

    def __init__(self, name: str = "memory", *, lists_referrers: bool = True) -> None:
        self.name = name
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[Digest, Manifest | Index] = {}
        self.tagged: dict[str, Digest] = {}
        self.lists_referrers = lists_referrers
        self._changing = threading.Lock()

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        subject = f"manifest {quoted(wanted)} in {self.name}"
        digest = wanted if isinstance(wanted, Digest) else self.tagged.get(wanted)
        if digest is None or digest not in self.manifests:
            raise NotFound(subject=subject, check="not found")
        found = self.manifests[digest]
        if found.digest != digest:
            raise DigestMismatch(subject=subject, check=f"the content has the digest {found.digest}")
        return found

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        with self._changing:
            self.manifests[manifest.digest] = manifest
            if tag is not None:
                self.tagged[tag] = manifest.digest
        return self.lists_referrers or manifest.subject is None

    def blob_size(self, digest: Digest) -> int | None:
        return len(self.blobs[digest]) if digest in self.blobs else None

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        if blob.digest not in self.blobs:
            raise NotFound(subject=f"blob {blob.digest} in {self.name}", check="not found")
        copy_verified((self.blobs[blob.digest],), blob, write, label=self.name)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:  # noqa: ARG002
        if self.blob_size(blob.digest) is not None:
            return
        content = bytearray()
        with open_body() as body:
            copy_verified(chunks_of(body), blob, content.extend, label="the sender")
        self.blobs[blob.digest] = bytes(content)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        if not self.lists_referrers:
            return ()
        with self._changing:
            found = tuple(
                Descriptor(each.media_type, each.digest, len(each.content), each.annotations, each.listed_type)
                for each in self.manifests.values()
                if each.subject is not None and each.subject.digest == subject
            )
        if len(found) > MAX_REFERRERS:
            raise LimitExceeded(subject=f"referrers of {subject}", check=f"more than {MAX_REFERRERS} are listed")
        return found

    def tags(self) -> tuple[str, ...]:
        return tuple(sorted(self.tagged))

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
