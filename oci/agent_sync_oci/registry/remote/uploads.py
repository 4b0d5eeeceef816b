"""A blob to the registry: POST asks for a place, PUT sends the bytes there (distribution spec 1.1, "Pushing blobs")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from agent_sync_oci.errors import ContentLies, RegistryFault
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import OpenBody
from agent_sync_oci.registry.remote.answers import agree_on_digest, expect, length_of
from agent_sync_oci.registry.remote.exchange import Content, Exchange
from agent_sync_oci.registry.remote.persistence import persistently
from agent_sync_oci.registry.verifying import chunks_of, verified

_NO_MOUNT = frozenset({400, 401, 403, 404, 405})  # the other repository is not there, or not ours to read
_BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """One blob on its way. What a cut connection left behind is not continued: every attempt begins with POST."""

    exchange: Exchange
    blob: Descriptor
    open_body: OpenBody
    mount_from: str | None

    def send(self) -> None:
        """The registry has the blob. Raises ContentLies if the body is another one, RegistryFault."""
        with closing(persistently(self._attempt, self.exchange.patience, subject=self._subject)) as answer:
            expect(answer, 200, 201, subject=self._subject)
            agree_on_digest(answer, self.blob.digest, subject=self._subject)
            if answer.status_code == 200 and length_of(answer) != self.blob.size:
                raise ContentLies(
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
        content = Content(self.blob.size, _BYTES, self._pieces)
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
        except RegistryFault:  # there is no login that allows both repositories
            return None
        if answer.status_code not in _NO_MOUNT:
            return answer
        answer.close()
        return None

    def _place(self, answer: httpx.Response) -> httpx.URL:
        location = answer.headers.get("location")
        if location is None:
            raise RegistryFault(
                subject=self._subject, check="the registry does not say where to", remedy="ask who runs it"
            )
        place = self.exchange.within(answer.request.url, location, what="it wants the bytes to be sent")
        # Added as text: taken apart and put together again, the registry's own part of the query might not be the same.
        return httpx.URL(f"{place}{'&' if place.query else '?'}digest={self.blob.digest}")

    def _pieces(self) -> Iterator[bytes]:
        with self.open_body() as body:
            yield from verified(chunks_of(body), self.blob, place="the sender")
