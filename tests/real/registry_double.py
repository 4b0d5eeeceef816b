"""A registry in the memory of this process (OCI distribution spec 1.1) with the referrers API; it can be told to lie.

It is strict where registries are: a digest is checked, a manifest needs its blobs, an upload needs its session.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs

from tests.real.answers import a_status
from tests.real.authority import Authority
from tests.real.http_server import Answer, HttpServer, Reply, Request, serve

INDEX = "application/vnd.oci.image.index.v1+json"
_T = TypeVar("_T")
_DIGEST = r"sha256:[0-9a-f]{64}"

Instead = Callable[[Request], Answer | None]
"""What to answer in place of the honest answer; None: that one."""


def honestly(_request: Request) -> None:
    """Nothing else than the honest answer."""


def digest_of(content: bytes) -> str:
    """As OCI spells it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class RegistryDouble:
    """What the registry has; keys are repository and digest, repository and tag. `page`: entries to a page of lists."""

    def __init__(self, *, lists_referrers: bool = True, page: int = 2) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tagged: dict[tuple[str, str], str] = {}
        self._uploads: set[str] = set()
        self._numbers = itertools.count()
        self._lists_referrers = lists_referrers
        self._page = page
        self._changing = threading.Lock()
        self._routes: tuple[tuple[str, Callable[..., Answer]], ...] = (
            (rf"HEAD|GET /v2/(.+)/blobs/({_DIGEST})", self._blob),
            (r"POST /v2/(.+)/blobs/uploads/", self._begin),
            (r"PUT /v2/(.+)/blobs/uploads/([0-9]+)", self._finish),
            (r"HEAD|GET /v2/(.+)/manifests/([^/]+)", self._manifest),
            (r"PUT /v2/(.+)/manifests/([^/]+)", self._put_manifest),
            (rf"GET /v2/(.+)/referrers/({_DIGEST})", self._referrers),
            (r"GET /v2/(.+)/tags/list", self._tags),
        )

    def answer(self, request: Request, reply: Reply) -> None:
        """What a registry answers."""
        for pattern, route in self._routes:
            methods, path = pattern.split(" ", 1)
            found = re.fullmatch(path, request.path)
            if found and re.fullmatch(methods, request.method):
                with self._changing:
                    chosen = route(request, *found.groups())
                chosen(request, reply)
                return
        _error(404, "UNSUPPORTED")(request, reply)

    def _blob(self, request: Request, repository: str, digest: str) -> Answer:
        blob = self.blobs.get((repository, digest))
        if blob is None:
            return _error(404, "BLOB_UNKNOWN")
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("range", ""))
        if wanted is None:
            return a_status(200, headers=headers, body=blob)
        start = int(wanted[1])
        headers["Content-Range"] = f"bytes {start}-{len(blob) - 1}/{len(blob)}"
        return a_status(206, headers=headers, body=blob[start:])

    def _begin(self, request: Request, repository: str) -> Answer:
        query = parse_qs(request.query)
        if "mount" in query:
            blob = self.blobs.get((query["from"][0], query["mount"][0]))
            if blob is not None:
                self.blobs[repository, query["mount"][0]] = blob
                return a_status(201, headers={"Location": f"/v2/{repository}/blobs/{query['mount'][0]}"})
        number = str(next(self._numbers))
        self._uploads.add(number)
        return a_status(202, headers={"Location": f"/v2/{repository}/blobs/uploads/{number}?state=a%2Fb%3D"})

    def _finish(self, request: Request, repository: str, number: str) -> Answer:
        query = parse_qs(request.query)
        if number not in self._uploads or query.get("state") != ["a/b="]:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        self._uploads.discard(number)
        digest = digest_of(request.body)
        if query["digest"] != [digest]:
            return _error(400, "DIGEST_INVALID")
        self.blobs[repository, digest] = request.body
        location = f"/v2/{repository}/blobs/{digest}"
        return a_status(201, headers={"Location": location, "Docker-Content-Digest": digest})

    def _manifest(self, _request: Request, repository: str, wanted: str) -> Answer:
        digest = wanted if ":" in wanted else self.tagged.get((repository, wanted), "")
        found = self.manifests.get((repository, digest))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": found[0], "Docker-Content-Digest": digest}
        return a_status(200, headers=headers, body=found[1])

    def _put_manifest(self, request: Request, repository: str, wanted: str) -> Answer:
        digest, value = digest_of(request.body), json.loads(request.body)
        if ":" in wanted and wanted != digest:
            return _error(400, "DIGEST_INVALID")
        needed = [*value.get("layers", []), *([value["config"]] if "config" in value else [])]
        if any((repository, each["digest"]) not in self.blobs for each in needed):
            return _error(400, "MANIFEST_BLOB_UNKNOWN")
        self.manifests[repository, digest] = (request.headers["content-type"], request.body)
        if ":" not in wanted:
            self.tagged[repository, wanted] = digest
        subject = {"OCI-Subject": value["subject"]["digest"]} if self._lists_referrers and "subject" in value else {}
        location = f"/v2/{repository}/manifests/{digest}"
        return a_status(201, headers={"Location": location, "Docker-Content-Digest": digest, **subject})

    def _referrers(self, request: Request, repository: str, subject: str) -> Answer:
        if not self._lists_referrers:
            return _error(404, "UNSUPPORTED")
        found = [
            _listed(media_type, digest, content)
            for (place, digest), (media_type, content) in self.manifests.items()
            if place == repository and json.loads(content).get("subject", {}).get("digest") == subject
        ]
        page, headers = self._paged(request, found)
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": page}
        return a_status(200, headers={"Content-Type": INDEX, **headers}, body=json.dumps(document).encode())

    def _tags(self, request: Request, repository: str) -> Answer:
        tags = sorted(tag for place, tag in self.tagged if place == repository)
        if not tags:
            return _error(404, "NAME_UNKNOWN")
        page, headers = self._paged(request, tags)
        body = json.dumps({"name": repository, "tags": page}).encode()
        return a_status(200, headers={"Content-Type": "application/json", **headers}, body=body)

    def _paged(self, request: Request, entries: list[_T]) -> tuple[list[_T], dict[str, str]]:
        start = int(parse_qs(request.query).get("after", ["0"])[0])
        end = start + self._page
        more = {"Link": f'<{request.path}?after={end}>; rel="next"'} if end < len(entries) else {}
        return entries[start:end], more


@dataclass(frozen=True, slots=True)
class ServedDouble:
    """`host` is what a reference begins with; `registry` may be changed while it is served."""

    registry: RegistryDouble
    server: HttpServer

    @property
    def host(self) -> str:
        return self.server.url.partition("://")[2]

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order."""
        return self.server.requests

    @property
    def asked(self) -> list[str]:
        """The same as `GET /path`."""
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def serve_double(
    *,
    instead: Instead = honestly,
    around: Callable[[Answer], Answer] = lambda answer: answer,
    authority: Authority | None = None,
    lists_referrers: bool = True,
    page: int = 2,
) -> Iterator[ServedDouble]:
    """A double on a free port of loopback. `instead` may answer for it, `around` stands before both."""
    registry = RegistryDouble(lists_referrers=lists_referrers, page=page)

    def answer(request: Request, reply: Reply) -> None:
        (instead(request) or registry.answer)(request, reply)

    with serve(around(answer), authority=authority) as server:
        yield ServedDouble(registry, server)


def _listed(media_type: str, digest: str, content: bytes) -> dict[str, object]:
    value = json.loads(content)
    return {
        "mediaType": media_type,
        "digest": digest,
        "size": len(content),
        "artifactType": value.get("artifactType") or value.get("config", {}).get("mediaType"),
        **({"annotations": value["annotations"]} if "annotations" in value else {}),
    }


def _error(status: int, code: str) -> Answer:
    """Distribution spec 1.1, "Error Codes"."""
    body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
    return a_status(status, headers={"Content-Type": "application/json"}, body=body)
