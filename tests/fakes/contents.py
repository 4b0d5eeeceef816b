"""File contents in memory."""

from __future__ import annotations

from collections.abc import Iterator

from agent_sync.errors import BlobCorrupt, BytesUnavailable
from agent_sync.tree import Sha256
from tests.builders.trees import Files, as_bytes, sha256


class MemoryContents:
    """Implements `ports.Contents`. What is in `corrupt` turns out to be so after its last byte."""

    def __init__(self) -> None:
        self.corrupt: set[Sha256] = set()
        self._bytes: dict[object, bytes] = {}

    def add(self, files: Files) -> None:
        self._bytes.update({sha256(content): as_bytes(content) for content in files.values()})

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._bytes

    def size(self, sha256: Sha256) -> int:
        return len(self._bytes[sha256])

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:
        if sha256 not in self._bytes:
            raise BytesUnavailable(subject=f"the file with sha256 {sha256}", check="it is nowhere")
        content = self._bytes[sha256]
        yield content[:3]
        yield content[3:]
        if sha256 in self.corrupt:
            raise BlobCorrupt(digest=f"sha256:{sha256}", subject="blob", check="its bytes have changed")

    def peek(self, sha256: Sha256) -> Iterator[bytes]:
        return iter(list(self.chunks(sha256)))
