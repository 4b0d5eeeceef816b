"""RemoteRegistry: one repository of a registry, over HTTP (OCI distribution spec 1.1)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Self

from agent_sync_oci.canonical import read_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, NotFound, RegistryFault, TooMuch, shown
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Index, Manifest, read_manifest
from agent_sync_oci.media_types import IMAGE_INDEX, IMAGE_MANIFEST
from agent_sync_oci.reference import RegistryPlace, is_tag
from agent_sync_oci.registry.protocol import MAX_REFERRERS, OpenBody, Write
from agent_sync_oci.registry.remote.answers import agree_on_digest, body_of, expect, length_of, media_type_of
from agent_sync_oci.registry.remote.downloads import Download
from agent_sync_oci.registry.remote.exchange import Content, Exchange
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.pages import pages
from agent_sync_oci.registry.remote.patience import Patience
from agent_sync_oci.registry.remote.uploads import Upload
from agent_sync_oci.registry.verifying import copy_verified

_MANIFESTS = {"Accept": f"{IMAGE_INDEX}, {IMAGE_MANIFEST}"}
_MOST_TAGS = 100_000
_NO_SUCH_API = (400, 404, 405, 406)  # what registries from before the referrers API say to it
_NO_REPOSITORY = (404,)  # nothing has been pushed yet


def nothing() -> None:
    """Never cancels."""


class RemoteRegistry:
    """Implements `Registry`. Tag and digest of `place` do not matter; nothing is sent before the first call.

    `plain_http` None: http for a registry on this machine, https for any other. `timeout_s` is for each call as a
    whole, with everything that is done again in it. `check` is asked all the time, from whichever thread calls, and
    raises to cancel.
    """

    def __init__(
        self,
        place: RegistryPlace,
        *,
        plain_http: bool | None = None,
        timeout_s: float,
        network: Network | None = None,
        check: Callable[[], None] = nothing,
    ) -> None:
        self.name = place.name
        encrypted = not (place.is_loopback if plain_http is None else plain_http)
        self._patience = Patience(timeout_s, check, subject=self.name)
        self._exchange = Exchange(place, network or Network(), self._patience, encrypted=encrypted)

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        subject = f"manifest {shown(wanted)} in {self.name}"
        if not isinstance(wanted, Digest) and not is_tag(wanted):
            raise NotFound(subject=subject, check="no registry has such a tag")
        with (
            self._patience.one_call(),
            self._exchange.ask("GET", self._exchange.url(f"manifests/{wanted}"), headers=_MANIFESTS) as answer,
        ):
            expect(answer, 200, subject=subject)
            content = body_of(answer, max_bytes=MAX_MANIFEST_BYTES, subject=subject)
            if isinstance(wanted, Digest) and wanted != Digest.of(content):
                raise ContentLies(
                    subject=subject,
                    check=f"the registry gave bytes with the digest {Digest.of(content)}",
                    remedy="fetch it from another place; this one cannot be trusted with it",
                )
            agree_on_digest(answer, Digest.of(content), subject=subject)
            return read_manifest(content, media_type_of(answer))

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        subject = f"manifest {manifest.digest} to {self.name}"
        url = self._exchange.url(f"manifests/{tag or manifest.digest}")
        content = Content(len(manifest.content), manifest.media_type, lambda: iter((manifest.content,)))
        with self._patience.one_call(), self._exchange.ask("PUT", url, content=content) as answer:
            expect(answer, 201, subject=subject)
            agree_on_digest(answer, manifest.digest, subject=subject)
            listed = answer.headers.get("oci-subject")
        return manifest.subject is None or listed == manifest.subject.digest

    def blob_size(self, digest: Digest) -> int | None:
        subject = f"blob {digest} in {self.name}"
        with (
            self._patience.one_call(),
            self._exchange.ask("HEAD", self._exchange.url(f"blobs/{digest}")) as answer,
        ):
            if answer.status_code == 404:
                return None
            expect(answer, 200, subject=subject)
            agree_on_digest(answer, digest, subject=subject)
            size = length_of(answer)
            if size is None:
                raise RegistryFault(
                    subject=subject, check="the registry does not say how large it is", remedy="ask who runs it"
                )
            return size

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        with self._patience.one_call(), closing(Download(self._exchange, blob).pieces()) as pieces:
            copy_verified(pieces, blob, write, place=self.name)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        with self._patience.one_call():
            Upload(self._exchange, blob, open_body, mount_from).send()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        what = f"referrers of {subject} in {self.name}"
        found: list[Descriptor] = []
        with (
            self._patience.one_call(),
            closing(pages(self._exchange, f"referrers/{subject}", subject=what, unless=_NO_SUCH_API)) as listed,
        ):
            for content, media_type in listed:
                if media_type != IMAGE_INDEX:
                    return ()  # a page for people, or whatever a registry without this API says with status 200
                page = read_manifest(content, media_type)
                assert isinstance(page, Index)
                found += page.manifests
                if len(found) > MAX_REFERRERS:
                    raise TooMuch(subject=what, check=f"there are more than {MAX_REFERRERS}")
        return tuple(found)

    def tags(self) -> tuple[str, ...]:
        what = f"tags of {self.name}"
        found: set[str] = set()
        with (
            self._patience.one_call(),
            closing(pages(self._exchange, "tags/list?n=1000", subject=what, unless=_NO_REPOSITORY)) as listed,
        ):
            for content, _ in listed:
                found.update(_tags_in(content, what))
                if len(found) > _MOST_TAGS:
                    raise TooMuch(subject=what, check=f"there are more than {_MOST_TAGS}")
        return tuple(sorted(found))

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def _tags_in(content: bytes, subject: str) -> list[str]:
    value = read_json(content, subject=subject)
    if isinstance(value, dict):
        listed = value.get("tags") or []  # Go spells an empty list `null`
        if isinstance(listed, list) and all(isinstance(each, str) and is_tag(each) for each in listed):
            return listed
    raise ContentLies(subject=subject, check="the registry's list holds something else than tags")
