"""RepositoryClient: requests to one repository, retried where that may help, authenticated where the registry asks.

Responses are read with suspicion: status, length, digest and body are compared with what they should be.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpx

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.http.client import HttpClient
from agent_sync_oci.http.network import Network
from agent_sync_oci.http.retry import RETRYABLE_READS, RETRYABLE_WRITES, Deadline, retry_after_s, with_retries
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync_oci.registry.remote.login import Authenticator

_MAX_REDIRECTS = 5
_CONNECT_TIMEOUT_S = 10.0
# The name that people know Docker Hub by is not the host of its registry.
_DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "agent-sync-oci"}
_SHORT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A body to send, of `size` bytes: `open_pieces` is called for each attempt."""

    size: int
    media_type: str
    open_pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A request, as often as it has to be made."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: RequestBody | None = None

    def build(self, url: httpx.URL, authorization: str | None = None) -> httpx.Request:
        """Return the request to this address, its body from the beginning."""
        headers = {**_HEADERS, **self.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        if self.body is None:
            return httpx.Request(self.method, url, headers=headers)
        headers |= {"Content-Type": self.body.media_type, "Content-Length": str(self.body.size)}
        return httpx.Request(self.method, url, headers=headers, content=self.body.open_pieces())

    @property
    def is_read(self) -> bool:
        """Whether it only reads, and may be redirected: content goes to the named registry and to no other."""
        return self.method in ("GET", "HEAD")


class RepositoryClient:
    """Everything that is said between this program and one repository. Any thread may ask."""

    def __init__(self, reference: RegistryReference, network: Network, deadline: Deadline, *, encrypted: bool) -> None:
        self.name = reference.name
        self.deadline = deadline
        self._reference = reference
        self._network = network
        host = _DOCKER_HUB.get(reference.host, reference.host)
        self._http = HttpClient(
            httpx.URL(f"{'https' if encrypted else 'http'}://{host}/v2/{reference.repository}/"),
            network,
            deadline,
            subject=self.name,
            error=RegistryError,
            connect_timeout_s=_CONNECT_TIMEOUT_S,
        )
        self._logging_in = threading.Lock()
        self._authenticator: Authenticator | None = None

    def url(self, path: str) -> httpx.URL:
        """Return the address of `path` (with its query) below the repository."""
        return httpx.URL(str(self._http.base) + path)

    def within(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        """Return where a header of the registry leads, which must be the registry. Raises RegistryError."""
        return self._http.within(current, location, what=what)

    @contextmanager
    def ask(
        self, method: str, url: httpx.URL, *, headers: Mapping[str, str] | None = None, body: RequestBody | None = None
    ) -> Iterator[httpx.Response]:
        """Open the response that is no redirect, its body not read yet; ask again while that may help."""
        template = RequestTemplate(method, url, headers or {}, body)
        response = with_retries(
            partial(self._follow, template),
            self.deadline,
            subject=self.name,
            error=RegistryError,
            retryable=RETRYABLE_READS if template.is_read else RETRYABLE_WRITES,
        )
        with closing(response):
            yield response

    def ask_once(self, method: str, url: httpx.URL, *, body: RequestBody | None = None) -> httpx.Response:
        """Return the same without another attempt; the caller closes it. Raises `retry.CONNECTION_ERRORS`."""
        return self._follow(RequestTemplate(method, url, {}, body))

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def _follow(self, template: RequestTemplate) -> httpx.Response:
        if not template.is_read:
            return self._send(template, template.url)
        return self._http.follow(template.url, partial(self._send, template), max_redirects=_MAX_REDIRECTS)

    def _send(self, template: RequestTemplate, url: httpx.URL) -> httpx.Response:
        """Send credentials only to the registry itself: its scheme, its host, and its port."""
        if not self._http.is_origin(url):
            return self._send_once(template.build(url))
        if self._authenticator is None:
            response = self._send_once(template.build(url))
            if response.status_code != 401:
                return response
            with closing(response):
                self._log_in(template.method, response)
        assert self._authenticator is not None
        return self._authenticator.send(template.method, partial(template.build, url))

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        response = self._http.send(request)
        return _buffered(response) if _is_short(response) else response

    def _log_in(self, method: str, challenge: httpx.Response) -> None:
        """Load oras only for a registry that asks for a login: that takes 0.15 s."""
        from agent_sync_oci.registry.remote.login import Authenticator

        with self._logging_in:
            if self._authenticator is None:  # another thread may have logged in meanwhile
                authenticator = Authenticator(
                    self._reference, self._http, self._send_once, self._network, self.deadline
                )
                authenticator.answer(challenge, method, refused=None)
                self._authenticator = authenticator


def _is_short(response: httpx.Response) -> bool:
    length = length_of(response)
    return response.request.method == "HEAD" or (length is not None and length <= _SHORT_BYTES)


def _buffered(response: httpx.Response) -> httpx.Response:
    """Read the body now, so that its connection is free for the next request instead of being closed with it."""
    with closing(response):
        body = b"".join(response.iter_raw())
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), request=response.request
    )


# -- what a response says --------------------------------------------------------------------------------------------

_MAX_ERROR_BYTES = 64 * 1024  # of a response that explains an error
_CODE = re.compile(r"[A-Z][A-Z_]{0,63}")  # distribution spec 1.1, "Error Codes"
_LENGTH = re.compile(r"[0-9]{1,19}")

_REMEDIES = {
    401: "log in with `docker login`, and check the credentials",
    403: "check that your account may do this in this repository",
    404: "check the name, and that your account may see the repository",
    429: "wait, or log in: registries allow more to users they know",
}


def require_status(response: httpx.Response, *statuses: int, subject: str) -> None:
    """Raise unless the response has one of these statuses, and no encoding: NotFound, RegistryError."""
    if response.status_code not in statuses:
        raise _refusal(response, subject)
    encoding = response.headers.get("content-encoding", "").lower()
    if encoding not in ("", "identity"):
        raise RegistryError(
            subject=subject,
            check=f"the registry sent an encoded body ({quoted(encoding)}), though asked not to",
            remedy="look for a proxy between this machine and the registry: a registry does not do that",
        )


def length_of(response: httpx.Response) -> int | None:
    """Return the Content-Length; None if the response has no valid one."""
    text = response.headers.get("content-length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


def media_type_of(response: httpx.Response) -> str | None:
    """Return the Content-Type without its parameters."""
    text: str = response.headers.get("content-type", "")
    return text.partition(";")[0].strip() or None


def body_of(response: httpx.Response, *, max_bytes: int, subject: str) -> bytes:
    """Return the whole body. Raises LimitExceeded, before reading if the length is announced."""
    announced = length_of(response) or 0
    body = bytearray()
    if announced <= max_bytes:
        for piece in response.iter_raw():
            body += piece
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise LimitExceeded(subject=subject, check=f"the response has more than {max_bytes} bytes, the most that is read")


def check_digest(response: httpx.Response, digest: Digest, *, subject: str) -> None:
    """Raise DigestMismatch if the registry says another digest of what it has."""
    said = response.headers.get("docker-content-digest")
    if said is not None and said != digest:
        raise DigestMismatch(
            subject=subject,
            check=f"the registry says that the digest is {quoted(said)}, but it is {digest}",
            remedy="fetch it from another registry; this one cannot be trusted with it",
        )


def _refusal(response: httpx.Response, subject: str) -> RegistryError:
    status = response.status_code
    kind = NotFound if status == 404 else RegistryError
    failed = "authentication failed: " if status == 401 else ""
    # The registry's own words are quoted, never printed as they are.
    check = f"{failed}the registry responded {status}{_explanation(response)}"
    wait_s = retry_after_s(response)
    if wait_s:
        check += f", and asks to wait {wait_s:.0f} s"
    return kind(subject=subject, check=check, remedy=_REMEDIES.get(status))


def _explanation(response: httpx.Response) -> str:
    """Return code and message of the first error in the body (distribution spec 1.1, "Error Codes"), if any."""
    if response.request.method == "HEAD":
        return ""
    try:
        body = body_of(response, max_bytes=_MAX_ERROR_BYTES, subject="")
        first = json.loads(body)["errors"][0]
        code, message = first["code"], first.get("message", "")
    except (LimitExceeded, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    return f" {code}" + (f": {quoted(message)}" if message else "")
