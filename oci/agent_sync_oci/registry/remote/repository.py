"""RemoteRegistry: one repository of a registry, over HTTP (OCI distribution spec 1.1)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from types import TracebackType
from typing import Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.image_spec import IMAGE_INDEX, IMAGE_MANIFEST
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Index, Manifest, read_manifest
from agent_sync_oci.reference import RegistryReference, is_tag
from agent_sync_oci.registry.protocol import MAX_REFERRERS, OpenBody, Write, copy_verified
from agent_sync_oci.registry.remote.blobs import Download, Upload
from agent_sync_oci.registry.remote.client import (
    RepositoryClient,
    RequestBody,
    body_of,
    check_digest,
    length_of,
    media_type_of,
    require_status,
)
from agent_sync_oci.registry.remote.deadline import Deadline
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.strict_json import read_json
from agent_sync_oci.text import quoted

# -- Lists that a registry gives out a page at a time, and that an honest one ends (distribution spec 1.1, RFC 8288).

_MAX_PAGES = 100
_MAX_BYTES = 4 * MAX_MANIFEST_BYTES


def pages(
    exchange: RepositoryClient, path: str, *, subject: str, unless: tuple[int, ...]
) -> Generator[tuple[bytes, str | None], None, None]:
    """The body and media type of each page; none if the registry answers one of `unless`: it has no such list.

    Raises: LimitExceeded (pages, bytes), RegistryError (a next page elsewhere).
    """
    url = exchange.url(path)
    size = 0
    for _ in range(_MAX_PAGES):
        with exchange.ask("GET", url) as answer:
            if answer.status_code in unless:
                return
            require_status(answer, 200, subject=subject)
            body = body_of(answer, max_bytes=_MAX_BYTES - size, subject=subject)
            size += len(body)
            yield body, media_type_of(answer)
            after = answer.links.get("next", {}).get("url")
            if after is None:
                return
            url = exchange.within(answer.request.url, after, what="it says that the next page leads")
    raise LimitExceeded(subject=subject, check=f"the registry has more than {_MAX_PAGES} pages of them")


# -- RemoteRegistry: one repository of a registry, over HTTP (OCI distribution spec 1.1).

_MANIFESTS = {"Accept": f"{IMAGE_INDEX}, {IMAGE_MANIFEST}"}
_MAX_TAGS = 100_000
_NO_SUCH_API = (400, 404, 405, 406)  # what registries from before the referrers API say to it
_NO_REPOSITORY = (404,)  # nothing has been pushed yet


def never_cancelled() -> None:
    """Never cancels."""


class RemoteRegistry:
    """Implements `Registry`. Tag and digest of `place` do not matter; nothing is sent before the first call.

    `plain_http` None: http for a registry on this machine, https for any other. `timeout_s` is for each call as a
    whole, with everything that is done again in it. `check` is asked all the time, from whichever thread calls, and
    raises to cancel.
    """

    def __init__(
        self,
        place: RegistryReference,
        *,
        plain_http: bool | None = None,
        timeout_s: float,
        network: Network | None = None,
        check: Callable[[], None] = never_cancelled,
    ) -> None:
        self.name = place.name
        encrypted = not (place.is_loopback if plain_http is None else plain_http)
        self._patience = Deadline(timeout_s, check, subject=self.name)
        self._exchange = RepositoryClient(place, network or Network(), self._patience, encrypted=encrypted)

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        subject = f"manifest {quoted(wanted)} in {self.name}"
        if not isinstance(wanted, Digest) and not is_tag(wanted):
            raise NotFound(subject=subject, check="no registry has such a tag")
        with (
            self._patience.one_call(),
            self._exchange.ask("GET", self._exchange.url(f"manifests/{wanted}"), headers=_MANIFESTS) as answer,
        ):
            require_status(answer, 200, subject=subject)
            content = body_of(answer, max_bytes=MAX_MANIFEST_BYTES, subject=subject)
            if isinstance(wanted, Digest) and wanted != Digest.of(content):
                raise DigestMismatch(
                    subject=subject,
                    check=f"the registry gave bytes with the digest {Digest.of(content)}",
                    remedy="fetch it from another place; this one cannot be trusted with it",
                )
            check_digest(answer, Digest.of(content), subject=subject)
            return read_manifest(content, media_type_of(answer))

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        subject = f"manifest {manifest.digest} to {self.name}"
        url = self._exchange.url(f"manifests/{tag or manifest.digest}")
        content = RequestBody(len(manifest.content), manifest.media_type, lambda: iter((manifest.content,)))
        with self._patience.one_call(), self._exchange.ask("PUT", url, content=content) as answer:
            require_status(answer, 201, subject=subject)
            check_digest(answer, manifest.digest, subject=subject)
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
            require_status(answer, 200, subject=subject)
            check_digest(answer, digest, subject=subject)
            size = length_of(answer)
            if size is None:
                raise RegistryError(
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
                    raise LimitExceeded(subject=what, check=f"there are more than {MAX_REFERRERS}")
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
                if len(found) > _MAX_TAGS:
                    raise LimitExceeded(subject=what, check=f"there are more than {_MAX_TAGS}")
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
    raise DigestMismatch(subject=subject, check="the registry's list holds something else than tags")
