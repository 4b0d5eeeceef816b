"""A client of one repository: requests are retried where that may help, authenticated where that is wanted, and
redirected
without credentials; responses are read with suspicion.
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

from agent_sync_oci.addresses import origin_of, redirect_refusal
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.remote.deadline import Deadline
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.retry import RETRYABLE_READS, RETRYABLE_WRITES, retry_after_s, with_retries
from agent_sync_oci.registry.remote.transport import Transport
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync_oci.registry.remote.login import Access


# -- What an answer says, read with suspicion: its status, its length, its digest, its body.

_MAX_ERROR_BYTES = 64 * 1024  # bytes of an answer that says what went wrong
_CODE = re.compile(r"[A-Z][A-Z_]{0,63}")  # distribution spec 1.1, "Error Codes"
_LENGTH = re.compile(r"[0-9]{1,19}")
_USE_ANOTHER_REGISTRY = "fetch it from another place; this one cannot be trusted with it"

_REMEDIES = {
    401: "log in with `docker login`, or see that the credentials are right",
    403: "see that your account may do this here",
    404: "see that the name is right, and that your account may see it",
    429: "wait, or log in: registries allow more to those they know",
}


def require_status(answer: httpx.Response, *statuses: int, subject: str) -> None:
    """Nothing, if the answer has one of these statuses and is sent as it is. Raises NotFound, RegistryError."""
    if answer.status_code not in statuses:
        raise _refusal(answer, subject)
    encoding = answer.headers.get("content-encoding", "").lower()
    if encoding not in ("", "identity"):
        raise RegistryError(
            subject=subject,
            check=f"the registry sent it encoded ({quoted(encoding)}), though asked not to",
            remedy="see what stands between here and the registry: a registry does not do that",
        )


def length_of(answer: httpx.Response) -> int | None:
    """The Content-Length; None if there is none that makes sense."""
    text = answer.headers.get("content-length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


def media_type_of(answer: httpx.Response) -> str | None:
    """The Content-Type without its parameters."""
    text: str = answer.headers.get("content-type", "")
    return text.partition(";")[0].strip() or None


def body_of(answer: httpx.Response, *, max_bytes: int, subject: str) -> bytes:
    """The whole body. Raises LimitExceeded, before reading it if its length is announced."""
    announced = length_of(answer) or 0
    body = bytearray()
    if announced <= max_bytes:
        for piece in answer.iter_raw():
            body += piece
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise LimitExceeded(subject=subject, check=f"it has more than {max_bytes} bytes, and no more are read")


def quoted_origin(url: httpx.URL) -> str:
    """As much of an address as cannot be a secret."""
    return quoted(f"{url.scheme}://{url.netloc.decode('ascii')}")


def check_digest(answer: httpx.Response, digest: Digest, *, subject: str) -> None:
    """Nothing, if the registry says no other digest of what it has. Raises DigestMismatch."""
    said = answer.headers.get("docker-content-digest")
    if said is not None and said != digest:
        raise DigestMismatch(
            subject=subject,
            check=f"the registry says that its digest is {quoted(said)}, and it is {digest}",
            remedy=_USE_ANOTHER_REGISTRY,
        )


def _refusal(answer: httpx.Response, subject: str) -> RegistryError:
    status = answer.status_code
    kind = NotFound if status == 404 else RegistryError
    check = f"the registry answered {status}{_explanation(answer)}"
    wait_s = retry_after_s(answer)
    if wait_s:
        check += f", and asks to wait {wait_s:.0f} s"
    return kind(subject=subject, check=check, remedy=_REMEDIES.get(status, "try again later, or ask who runs it"))


def _explanation(answer: httpx.Response) -> str:
    """The code and message of the first error in the body (distribution spec 1.1, "Error Codes"), if it has one."""
    if answer.request.method == "HEAD":
        return ""
    try:
        body = body_of(answer, max_bytes=_MAX_ERROR_BYTES, subject="")
        first = json.loads(body)["errors"][0]
        code, message = first["code"], first.get("message", "")
    except (LimitExceeded, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    return f" {code}" + (f": {quoted(message)}" if message else "")


# -- A question to one registry and its answer: asked again where that may help, logged in where that is wanted, and
# followed where the registry sends us, without credentials.

_MAX_REDIRECTS = 5
_DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "agent-sync-oci"}


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A body to send: `open_pieces` is called for each attempt."""

    size: int
    media_type: str
    open_pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A request, as often as it has to be made."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: RequestBody | None = None

    def request(self, url: httpx.URL, authorization: str | None = None) -> httpx.Request:
        """The request to this address; its body from the beginning."""
        headers = {**_HEADERS, **self.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        if self.content is None:
            return httpx.Request(self.method, url, headers=headers)
        headers |= {"Content-Type": self.content.media_type, "Content-Length": str(self.content.size)}
        return httpx.Request(self.method, url, headers=headers, content=self.content.open_pieces())

    @property
    def may_be_followed(self) -> bool:
        """Content goes to the registry that was named, and to no other."""
        return self.method in ("GET", "HEAD")


class RepositoryClient:
    """Everything that is said between us and one repository."""

    def __init__(self, place: RegistryReference, network: Network, patience: Deadline, *, encrypted: bool) -> None:
        self.name = place.name
        self.patience = patience
        self._place = place
        self._network = network
        host = _DOCKER_HUB.get(place.host, place.host)
        self._base = httpx.URL(f"{'https' if encrypted else 'http'}://{host}/v2/{place.repository}/")
        self._wire = Transport(self._base, network, patience, subject=place.name)
        self._logging_in = threading.Lock()
        self._access: Access | None = None

    def url(self, path: str) -> httpx.URL:
        """`path` (with its query) below the repository."""
        return httpx.URL(str(self._base) + path)

    def within(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        """Where a header of the registry leads, which must be the registry. Raises RegistryError."""
        target = self._joined(current, location, what=what)
        if origin_of(target) != origin_of(self._base):
            raise self._refused(target, what, "which is another scheme, host or port")
        return target

    @contextmanager
    def ask(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        content: RequestBody | None = None,
    ) -> Iterator[httpx.Response]:
        """The answer that is no redirect, its body not read yet; asked again while that may help."""
        question = RequestTemplate(method, url, headers or {}, content)
        busy = RETRYABLE_READS if question.may_be_followed else RETRYABLE_WRITES
        answer = with_retries(partial(self._followed, question), self.patience, subject=self.name, busy=busy)
        with closing(answer):
            yield answer

    def ask_once(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        content: RequestBody | None = None,
    ) -> httpx.Response:
        """The same without another attempt; the caller closes it. Raises `persistence.BROKEN`."""
        return self._followed(RequestTemplate(method, url, headers or {}, content))

    def close(self) -> None:
        """No connection is open."""
        self._wire.close()

    def _followed(self, question: RequestTemplate) -> httpx.Response:
        url = question.url
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._answer(question, url)
            if not (question.may_be_followed and answer.has_redirect_location):
                return answer
            with closing(answer):
                url = self._next(url, answer.headers["location"])
        raise RegistryError(
            subject=self.name,
            check=f"it redirects more than {_MAX_REDIRECTS} times",
            remedy="ask who runs it: no registry needs that",
        )

    def _answer(self, question: RequestTemplate, url: httpx.URL) -> httpx.Response:
        """Credentials go with it only to the registry itself: its scheme, its host and its port."""
        if origin_of(url) != origin_of(self._base):
            return self._wire.send(question.request(url))
        if self._access is None:
            answer = self._wire.send(question.request(url))
            if answer.status_code != 401:
                return answer
            with closing(answer):
                self._log_in(question.method, answer)
        assert self._access is not None
        return self._access.do_request(str(url), question.method, request=partial(question.request, url))

    def _log_in(self, method: str, challenge: httpx.Response) -> None:
        """oras is loaded only for a registry that asks who we are: it takes 0.15 s."""
        from agent_sync_oci.registry.remote.login import Access

        with self._logging_in:
            if self._access is None:
                access = Access(self._place, self._base, self._wire, self._network, self.patience)
                access.answer(challenge, method, refused=None)
                self._access = access

    def _next(self, current: httpx.URL, location: str) -> httpx.URL:
        what = "it redirects"
        target = self._joined(current, location, what=what)
        fault = redirect_refusal(current, target, began_here=self._wire.began_here)
        if fault is not None:
            raise self._refused(target, what, fault)
        return target

    def _joined(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        try:
            return current.join(location)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._refused(None, what, "which is no address") from error

    def _refused(self, target: httpx.URL | None, what: str, fault: str) -> RegistryError:
        where = "something" if target is None else quoted_origin(target)
        return RegistryError(
            subject=self.name,
            check=f"{what} to {where}, {fault}",
            remedy="do not follow it: what you send there, credentials included, would be theirs",
        )
