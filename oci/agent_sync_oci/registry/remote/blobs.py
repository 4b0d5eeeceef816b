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
from agent_sync_oci.http.retry import BACKOFF_S, CONNECTION_ERRORS, connection_failed, with_retries
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import OpenBody, chunks_of, verified
from agent_sync_oci.registry.remote.client import RepositoryClient, RequestBody, check_digest, length_of, require_status

_MAX_RESUMES = 20  # of one blob, however far each of them got
_RANGE = re.compile(r"bytes (?P<start>[0-9]{1,19})-[0-9]{1,19}/(?:[0-9]{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """One blob on its way here; its bytes are for somebody else to verify."""

    client: RepositoryClient
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
                # Only attempts that got nowhere count: a large blob over a bad line is still worth going on with.
                in_vain = in_vain + 1 if received == before else 0
                if in_vain > len(BACKOFF_S):
                    raise connection_failed(error, self._subject, error=RegistryError) from error
                self.client.deadline.sleep(BACKOFF_S[max(0, in_vain - 1)])
        raise RegistryError(
            subject=self._subject,
            check=f"the connection was cut {_MAX_RESUMES} times",
            remedy="try again later, or fetch it from another registry",
        )

    @property
    def _subject(self) -> str:
        return f"blob {self.blob.digest} in {self.client.name}"

    def _from(self, start: int) -> Iterator[bytes]:
        """Yield what comes after the first `start` bytes."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        url = self.client.url(f"blobs/{self.blob.digest}")
        with self.client.ask("GET", url, headers=headers) as response:
            require_status(response, *((200, 206) if start else (200,)), subject=self._subject)
            check_digest(response, self.blob.digest, subject=self._subject)
            first = _first_byte(response)
            if first > start:
                raise RegistryError(
                    subject=self._subject, check="the registry continues at another byte", remedy="try again"
                )
            length = length_of(response)
            if length is not None and first + length != self.blob.size:
                raise DigestMismatch(
                    subject=self._subject,
                    check=f"the registry has {first + length} bytes, but the descriptor says {self.blob.size}",
                )
            yield from _without(response.iter_raw(), start - first)


def _first_byte(response: httpx.Response) -> int:
    """Return which byte the body begins with: not every server heeds a Range."""
    found = _RANGE.fullmatch(response.headers.get("content-range", "")) if response.status_code == 206 else None
    return int(found["start"]) if found else 0


def _without(pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for piece in pieces:
        if skip < len(piece):
            yield piece[skip:]
        skip = max(0, skip - len(piece))


# -- upload ----------------------------------------------------------------------------------------------------------

_MOUNT_REFUSED = frozenset({400, 401, 403, 404, 405})  # the other repository is missing, or may not be read
_OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """One blob on its way out: POST asks where to, PUT sends the bytes there.

    What a cut connection left behind is not continued: every attempt begins with POST.
    """

    client: RepositoryClient
    blob: Descriptor
    open_body: OpenBody
    mount_from: str | None

    def send(self) -> None:
        """Upload the blob, unless the registry has it.

        Raises: DigestMismatch (the body is another one), RegistryError.
        """
        response = with_retries(self._attempt, self.client.deadline, subject=self._subject, error=RegistryError)
        with closing(response):
            require_status(response, 200, 201, subject=self._subject)
            check_digest(response, self.blob.digest, subject=self._subject)
            if response.status_code == 200 and length_of(response) != self.blob.size:
                raise DigestMismatch(
                    subject=self._subject,
                    check=f"the registry has {length_of(response)} bytes under this digest of {self.blob.size} bytes",
                    remedy="push to another registry; this one cannot be trusted with it",
                )

    @property
    def _subject(self) -> str:
        return f"blob {self.blob.digest} to {self.client.name}"

    def _attempt(self) -> httpx.Response:
        """Return 200 if the registry had the blob, 201 if it has it now, or whatever else came."""
        response = self.client.ask_once("HEAD", self.client.url(f"blobs/{self.blob.digest}"))
        if response.status_code != 404:
            return response
        response.close()
        response = self._begin()
        if response.status_code != 202:
            return response
        with closing(response):
            location = self._location(response)
        return self.client.ask_once("PUT", location, body=RequestBody(self.blob.size, _OCTET_STREAM, self._pieces))

    def _begin(self) -> httpx.Response:
        """Return 202 with a location for the bytes, or 201 if they were mounted from another repository."""
        if self.mount_from is not None:
            mounted = self._mount(self.mount_from)
            if mounted is not None:
                return mounted
        return self.client.ask_once("POST", self.client.url("blobs/uploads/"))

    def _mount(self, repository: str) -> httpx.Response | None:
        """Return 201, 202, or that the registry is busy; None if it does not mount, or not for this account."""
        query = f"mount={self.blob.digest}&from={quote(repository, safe='')}"
        try:
            response = self.client.ask_once("POST", self.client.url(f"blobs/uploads/?{query}"))
        except RegistryError:  # no login allows both repositories
            return None
        if response.status_code not in _MOUNT_REFUSED:
            return response
        response.close()
        return None

    def _location(self, response: httpx.Response) -> httpx.URL:
        location = response.headers.get("location")
        if location is None:
            raise RegistryError(subject=self._subject, check="the registry does not say where to send the bytes")
        url = self.client.within(response.request.url, location, what="the registry wants the bytes to be sent")
        # Added as text: taken apart and put together again, the registry's own part of the query might not be the same.
        return httpx.URL(f"{url}{'&' if url.query else '?'}digest={self.blob.digest}")

    def _pieces(self) -> Iterator[bytes]:
        with self.open_body() as body:
            yield from verified(chunks_of(body), self.blob, label="the sender")
