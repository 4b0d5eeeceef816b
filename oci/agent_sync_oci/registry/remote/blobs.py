"""Blobs to and from a registry: a download continues where its connection was cut, an upload begins again.

Source: OCI distribution spec 1.1, "Pulling blobs" and "Pushing blobs"; RFC 9110 section 14 (ranges).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from agent_sync_oci.errors import DigestMismatch, RegistryError
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import OpenBody, chunks_of, verified
from agent_sync_oci.registry.remote.client import RepositoryClient, RequestBody, check_digest, length_of, require_status
from agent_sync_oci.registry.remote.retry import BACKOFF_S, CONNECTION_ERRORS, connection_failed, with_retries

# -- A blob from the registry, continued where a connection was cut (RFC 9110 §14).

_MAX_RESUMES = 20  # of one blob, however far each of them got
_RANGE = re.compile(r"bytes (?P<start>[0-9]{1,19})-[0-9]{1,19}/(?:[0-9]{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """One blob on its way to us; its bytes are for somebody else to verify."""

    exchange: RepositoryClient
    blob: Descriptor

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the bytes as they come, at most one piece too many. Raises RegistryError, DigestMismatch."""
        received, in_vain = 0, 0
        for _ in range(_MAX_RESUMES):
            before = received
            try:
                for piece in self._from(received):
                    received += len(piece)
                    yield piece
                return
            except CONNECTION_ERRORS as error:
                in_vain = in_vain + 1 if received == before else 0
                if in_vain > len(BACKOFF_S):
                    raise connection_failed(error, self._subject) from error
                self.exchange.patience.sleep(BACKOFF_S[max(0, in_vain - 1)])
        raise RegistryError(
            subject=self._subject,
            check=f"the connection was cut {_MAX_RESUMES} times",
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
            require_status(answer, *((200, 206) if start else (200,)), subject=self._subject)
            check_digest(answer, self.blob.digest, subject=self._subject)
            first = _first_byte(answer)
            if first > start:
                raise RegistryError(
                    subject=self._subject, check="the registry continues at another byte", remedy="try again"
                )
            length = length_of(answer)
            if length is not None and first + length != self.blob.size:
                raise DigestMismatch(
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


# -- A blob to the registry: POST asks for a place, PUT sends the bytes there (distribution spec 1.1, "Pushing
# blobs").

_MOUNT_REFUSED = frozenset({400, 401, 403, 404, 405})  # the other repository is not there, or not ours to read
_OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """One blob on its way. What a cut connection left behind is not continued: every attempt begins with POST."""

    exchange: RepositoryClient
    blob: Descriptor
    open_body: OpenBody
    mount_from: str | None

    def send(self) -> None:
        """The registry has the blob. Raises DigestMismatch if the body is another one, RegistryError."""
        with closing(with_retries(self._attempt, self.exchange.patience, subject=self._subject)) as answer:
            require_status(answer, 200, 201, subject=self._subject)
            check_digest(answer, self.blob.digest, subject=self._subject)
            if answer.status_code == 200 and length_of(answer) != self.blob.size:
                raise DigestMismatch(
                    subject=self._subject,
                    check=f"the registry has {length_of(answer)} bytes under this digest of {self.blob.size} bytes",
                    remedy="push to another registry; this one cannot be trusted with it",
                )

    @property
    def _subject(self) -> str:
        return f"blob {self.blob.digest} to {self.exchange.name}"

    def _attempt(self) -> httpx.Response:
        """200: it is there already; 201: now it is; or whatever came instead."""
        answer = self.exchange.ask_once("HEAD", self.exchange.url(f"blobs/{self.blob.digest}"))
        if answer.status_code != 404:
            return answer
        answer.close()
        answer = self._begun()
        if answer.status_code != 202:
            return answer
        with closing(answer):
            place = self._place(answer)
        content = RequestBody(self.blob.size, _OCTET_STREAM, self._pieces)
        return self.exchange.ask_once("PUT", place, content=content)

    def _begun(self) -> httpx.Response:
        """202 with a place for the bytes, or 201 where they are already: mounted from another repository."""
        if self.mount_from is not None:
            mounted = self._mounted(self.mount_from)
            if mounted is not None:
                return mounted
        return self.exchange.ask_once("POST", self.exchange.url("blobs/uploads/"))

    def _mounted(self, repository: str) -> httpx.Response | None:
        """201, 202, or that the registry is busy; None if it will not do it, or not for us."""
        query = f"mount={self.blob.digest}&from={quote(repository, safe='')}"
        try:
            answer = self.exchange.ask_once("POST", self.exchange.url(f"blobs/uploads/?{query}"))
        except RegistryError:  # there is no login that allows both repositories
            return None
        if answer.status_code not in _MOUNT_REFUSED:
            return answer
        answer.close()
        return None

    def _place(self, answer: httpx.Response) -> httpx.URL:
        location = answer.headers.get("location")
        if location is None:
            raise RegistryError(
                subject=self._subject, check="the registry does not say where to", remedy="ask who runs it"
            )
        place = self.exchange.within(answer.request.url, location, what="it wants the bytes to be sent")
        # Added as text: taken apart and put together again, the registry's own part of the query might not be the same.
        return httpx.URL(f"{place}{'&' if place.query else '?'}digest={self.blob.digest}")

    def _pieces(self) -> Iterator[bytes]:
        with self.open_body() as body:
            yield from verified(chunks_of(body), self.blob, place="the sender")
