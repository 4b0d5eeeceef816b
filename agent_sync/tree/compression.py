"""The one door to zstd: canonical tars get smaller on the way out and are bounded on the way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from agent_sync.errors import DigestMismatch, LimitExceeded

LEVEL = 3
WORKERS = 2  # one, two and four workers give the same bytes; none gives others
_JOB_BYTES = 2 << 20  # what a worker has at a time: four times as much saves half a percent, and takes 40 MB more
MAX_WINDOW_BYTES = 8 << 20
_PIECE_BYTES = 1 << 17


class Writes(Protocol):
    """Anything that bytes can be written to, and that returns how many it took."""

    def write(self, chunk: bytes, /) -> int: ...


class Reads(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


def compress(content: Reads, target: Writes, *, size: int) -> None:
    """Write the `size` bytes of `content` to `target`, as one zstd frame with its length and a checksum.

    One version of the compressor makes the same bytes of the same content, on every machine.
    """
    import zstandard

    how = zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        source_size=size,
        threads=WORKERS,
        job_size=_JOB_BYTES,
        write_checksum=True,
        write_content_size=True,
    )
    compressor = zstandard.ZstdCompressor(compression_params=how)
    with compressor.stream_writer(cast(BinaryIO, target), size=size, closefd=False) as writer:
        while piece := content.read(_PIECE_BYTES):
            writer.write(piece)


class Decompressing:
    """A decompressor that writes at most `max_bytes`.

    A frame may ask for a window of 8 MiB at most; a bomb is met while it is decompressed, not afterwards.
    """

    def __init__(self, write: Callable[[bytes], object], *, max_bytes: int, subject: str) -> None:
        import zstandard

        self._left = max_bytes
        self._max_bytes = max_bytes
        self._subject = subject
        self._write = write
        self._error = zstandard.ZstdError
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._writer = decompressor.stream_writer(
            cast(BinaryIO, _Target(self._hand_on)), write_size=_PIECE_BYTES, closefd=False
        )

    def write(self, piece: bytes, /) -> None:
        """Decompress a piece.

        Raises: LimitExceeded (more than `max_bytes`, or too large a window), DigestMismatch (not zstd).
        """
        try:
            self._writer.write(piece)
        except self._error as error:
            raise self._refusal(str(error)) from error

    def _hand_on(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise LimitExceeded(
                subject=self._subject,
                check=f"more than the expected {self._max_bytes} bytes when decompressed",
                remedy="do not use this registry: it serves something else than the lock pins",
            )
        self._write(piece)

    def _refusal(self, reason: str) -> DigestMismatch | LimitExceeded:
        if "memory" in reason or "window" in reason.lower():
            return LimitExceeded(
                subject=self._subject,
                check=f"the zstd frame asks for a window of more than {MAX_WINDOW_BYTES} bytes",
                remedy="push the bundle again with agent-sync",
            )
        return DigestMismatch(
            subject=self._subject,
            check=f"not zstd: {reason}",
            remedy="do not use this registry, or push the bundle again",
        )


class _Target:
    """A function as something that bytes can be written to."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._take = write

    def write(self, piece: bytes) -> int:
        self._take(piece)
        return len(piece)
