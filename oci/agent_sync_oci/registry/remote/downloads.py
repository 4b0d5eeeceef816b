"""A blob from the registry, continued where a connection was cut (RFC 9110 §14)."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import httpx

from agent_sync_oci.errors import ContentLies, RegistryFault
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.remote.answers import agree_on_digest, expect, length_of
from agent_sync_oci.registry.remote.exchange import Exchange
from agent_sync_oci.registry.remote.persistence import BROKEN, PAUSES_S, unreachable

_MOST_CONTINUATIONS = 20  # of one blob, however far each of them got
_RANGE = re.compile(r"bytes (?P<start>[0-9]{1,19})-[0-9]{1,19}/(?:[0-9]{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """One blob on its way to us; its bytes are for somebody else to verify."""

    exchange: Exchange
    blob: Descriptor

    def pieces(self) -> Generator[bytes, None, None]:
        """The bytes as they come, never more than one piece too many. Raises NotFound, RegistryFault, ContentLies."""
        received, in_vain = 0, 0
        for _ in range(_MOST_CONTINUATIONS):
            before = received
            try:
                for piece in self._from(received):
                    received += len(piece)
                    yield piece
                return
            except BROKEN as error:
                in_vain = in_vain + 1 if received == before else 0
                if in_vain > len(PAUSES_S):
                    raise unreachable(error, self._subject) from error
                self.exchange.patience.sleep(PAUSES_S[max(0, in_vain - 1)])
        raise RegistryFault(
            subject=self._subject,
            check=f"the connection was cut {_MOST_CONTINUATIONS} times",
            remedy="try again later, or from another place",
        )

    @property
    def _subject(self) -> str:
        return f"blob {self.blob.digest} in {self.exchange.name}"

    def _from(self, start: int) -> Iterator[bytes]:
        """What comes after the first `start` bytes."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        url = self.exchange.url(f"blobs/{self.blob.digest}")
        with self.exchange.ask("GET", url, headers=headers) as answer:
            expect(answer, *((200, 206) if start else (200,)), subject=self._subject)
            agree_on_digest(answer, self.blob.digest, subject=self._subject)
            first = _first_byte(answer)
            if first > start:
                raise RegistryFault(
                    subject=self._subject, check="the registry continues at another byte", remedy="try again"
                )
            length = length_of(answer)
            if length is not None and first + length != self.blob.size:
                raise ContentLies(
                    subject=self._subject,
                    check=f"the registry has {first + length} bytes of it, and its descriptor says {self.blob.size}",
                    remedy="fetch it from another place, or have it pushed again by somebody who has it",
                )
            yield from _without(answer.iter_raw(), start - first)


def _first_byte(answer: httpx.Response) -> int:
    """Which byte the body begins with: not every server heeds a Range."""
    found = _RANGE.fullmatch(answer.headers.get("content-range", "")) if answer.status_code == 206 else None
    return int(found["start"]) if found else 0


def _without(pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for piece in pieces:
        if skip < len(piece):
            yield piece[skip:]
        skip = max(0, skip - len(piece))
