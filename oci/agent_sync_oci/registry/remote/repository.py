"""RemoteRegistry: one repository of a registry, over HTTP (OCI distribution spec 1.1)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from types import TracebackType
from typing import Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.http.network import Network
from agent_sync_oci.http.retry import Deadline
from agent_sync_oci.manifest import (
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    MAX_MANIFEST_BYTES,
    Descriptor,
    Index,
    Manifest,
    read_manifest,
)
from agent_sync_oci.reference import RegistryReference, is_tag
from agent_sync_oci.registry.protocol import MAX_REFERRERS, OpenBody, Write, copy_verified, never_cancelled
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
from agent_sync_oci.strict_json import read_json
from agent_sync_oci.text import quoted

_MANIFEST_TYPES = {"Accept": f"{IMAGE_INDEX}, {IMAGE_MANIFEST}"}
_MAX_TAGS = 100_000
_MAX_PAGES = 100
_MAX_PAGES_BYTES = 4 * MAX_MANIFEST_BYTES
_NO_SUCH_API = (400, 404, 405, 406)  # how registries from before the referrers API respond to it
_NO_REPOSITORY = (404,)  # nothing has been pushed yet


class RemoteRegistry:
    """Implements `Registry`. Tag and digest of the reference do not matter; nothing is sent before the first call.

    `plain_http` None: http for a registry on this machine, https for any other. `timeout_s` is for each call as a
    whole, with everything that is done again in it; `timeout_remedy` is told if that is not enough. `check` is asked at
    every wait, in the calling thread, and raises to cancel.
    """

    def __init__(
        self,
        reference: RegistryReference,
        *,
        plain_http: bool | None = None,
        timeout_s: float,
        timeout_remedy: str = "try again, or allow more time",
        network: Network | None = None,
        check: Callable[[], None] = never_cancelled,
    ) -> None:
        self.name = reference.name
        encrypted = not (reference.is_loopback if plain_http is None else plain_http)

        def expired() -> RegistryError:
            return RegistryError(
                subject=self.name,
                check=f"the registry did not finish within {timeout_s:g} s",
                remedy=timeout_remedy,
            )

        self._deadline = Deadline(timeout_s, check, expired=expired)
        self._client = RepositoryClient(reference, network or Network(), self._deadline, encrypted=encrypted)

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        subject = f"manifest {quoted(wanted)} in {self.name}"
        # What is not a tag could lead out of the repository, as part of an address.
        if not isinstance(wanted, Digest) and not is_tag(wanted):
            raise NotFound(subject=subject, check="no registry has such a tag")
        with (
            self._deadline.one_call(),
            self._client.ask("GET", self._client.url(f"manifests/{wanted}"), headers=_MANIFEST_TYPES) as response,
        ):
            require_status(response, 200, subject=subject)
            content = body_of(response, max_bytes=MAX_MANIFEST_BYTES, subject=subject)
            if isinstance(wanted, Digest) and wanted != Digest.of(content):
                raise DigestMismatch(
                    subject=subject,
                    check=f"the registry sent content with the digest {Digest.of(content)}",
                    remedy="fetch it from another registry; this one cannot be trusted with it",
                )
            check_digest(response, Digest.of(content), subject=subject)
            return read_manifest(content, media_type_of(response))

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        subject = f"manifest {manifest.digest} to {self.name}"
        url = self._client.url(f"manifests/{tag or manifest.digest}")
        body = RequestBody(len(manifest.content), manifest.media_type, lambda: iter((manifest.content,)))
        with self._deadline.one_call(), self._client.ask("PUT", url, body=body) as response:
            require_status(response, 201, subject=subject)
            check_digest(response, manifest.digest, subject=subject)
            # A registry that has the referrers API says so by this header (distribution spec 1.1).
            listed = response.headers.get("oci-subject")
        return manifest.subject is None or listed == manifest.subject.digest

    def blob_size(self, digest: Digest) -> int | None:
        subject = f"blob {digest} in {self.name}"
        with self._deadline.one_call(), self._client.ask("HEAD", self._client.url(f"blobs/{digest}")) as response:
            if response.status_code == 404:
                return None
            require_status(response, 200, subject=subject)
            check_digest(response, digest, subject=subject)
            size = length_of(response)
            if size is None:
                raise RegistryError(subject=subject, check="the registry does not say how large the blob is")
            return size

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        with self._deadline.one_call(), closing(Download(self._client, blob).pieces()) as pieces:
            copy_verified(pieces, blob, write, label=self.name)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        with self._deadline.one_call():
            Upload(self._client, blob, open_body, mount_from).send()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        what = f"referrers of {subject} in {self.name}"
        found: list[Descriptor] = []
        with (
            self._deadline.one_call(),
            closing(self._pages(f"referrers/{subject}", subject=what, unless=_NO_SUCH_API)) as pages,
        ):
            for content, media_type in pages:
                if media_type != IMAGE_INDEX:
                    return ()  # a web page, or whatever else a registry without this API sends with status 200
                page = read_manifest(content, media_type)
                assert isinstance(page, Index)
                found += page.manifests
                if len(found) > MAX_REFERRERS:
                    raise LimitExceeded(subject=what, check=f"more than {MAX_REFERRERS} are listed")
        return tuple(found)

    def tags(self) -> tuple[str, ...]:
        what = f"tags of {self.name}"
        found: set[str] = set()
        with (
            self._deadline.one_call(),
            closing(self._pages("tags/list?n=1000", subject=what, unless=_NO_REPOSITORY)) as pages,
        ):
            for content, _ in pages:
                found.update(_tags_in(content, what))
                if len(found) > _MAX_TAGS:
                    raise LimitExceeded(subject=what, check=f"more than {_MAX_TAGS} are listed")
        return tuple(sorted(found))

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _pages(
        self, path: str, *, subject: str, unless: tuple[int, ...]
    ) -> Generator[tuple[bytes, str | None], None, None]:
        """Yield body and media type of each page; none if the status is one of `unless`: no such list.

        Raises: LimitExceeded (pages, bytes), RegistryError (a next page elsewhere). Source: RFC 8288 (links).
        """
        url = self._client.url(path)
        size = 0
        for _ in range(_MAX_PAGES):
            with self._client.ask("GET", url) as response:
                if response.status_code in unless:
                    return
                require_status(response, 200, subject=subject)
                body = body_of(response, max_bytes=_MAX_PAGES_BYTES - size, subject=subject)
                size += len(body)
                yield body, media_type_of(response)
                after = response.links.get("next", {}).get("url")
                if after is None:
                    return
                url = self._client.within(response.request.url, after, what="the next page leads")
        raise LimitExceeded(subject=subject, check=f"the registry has more than {_MAX_PAGES} pages of them")


def _tags_in(content: bytes, subject: str) -> list[str]:
    value = read_json(content, subject=subject)
    if isinstance(value, dict):
        listed = value.get("tags") or []  # Go writes an empty list as `null`
        if isinstance(listed, list) and all(isinstance(each, str) and is_tag(each) for each in listed):
            return listed
    raise DigestMismatch(subject=subject, check="the registry's list holds something other than tags")
