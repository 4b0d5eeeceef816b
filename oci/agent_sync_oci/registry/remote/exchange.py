"""A question to one registry and its answer: asked again where that may help, logged in where that is wanted, and
followed where the registry sends us, without credentials.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpx

from agent_sync_oci.addresses import fault_of_target, origin_of
from agent_sync_oci.errors import RegistryFault
from agent_sync_oci.reference import RegistryPlace
from agent_sync_oci.registry.remote.answers import shown_place
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.patience import Patience
from agent_sync_oci.registry.remote.persistence import BUSY_READING, BUSY_WRITING, persistently
from agent_sync_oci.registry.remote.wire import Wire

if TYPE_CHECKING:
    from agent_sync_oci.registry.remote.login import Access

_MAX_REDIRECTS = 5
_DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "agent-sync-oci"}


@dataclass(frozen=True, slots=True)
class Content:
    """A body to send: `open_pieces` is called for each attempt."""

    size: int
    media_type: str
    open_pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as often as it has to be made."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: Content | None = None

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


class Exchange:
    """Everything that is said between us and one repository."""

    def __init__(self, place: RegistryPlace, network: Network, patience: Patience, *, encrypted: bool) -> None:
        self.name = place.name
        self.patience = patience
        self._place = place
        self._network = network
        host = _DOCKER_HUB.get(place.host, place.host)
        self._base = httpx.URL(f"{'https' if encrypted else 'http'}://{host}/v2/{place.repository}/")
        self._wire = Wire(self._base, network, patience, subject=place.name)
        self._logging_in = threading.Lock()
        self._access: Access | None = None

    def url(self, path: str) -> httpx.URL:
        """`path` (with its query) below the repository."""
        return httpx.URL(str(self._base) + path)

    def within(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        """Where a header of the registry leads, which must be the registry. Raises RegistryFault."""
        target = self._joined(current, location, what=what)
        if origin_of(target) != origin_of(self._base):
            raise self._refused(target, what, "which is another scheme, host or port")
        return target

    @contextmanager
    def ask(
        self, method: str, url: httpx.URL, *, headers: Mapping[str, str] | None = None, content: Content | None = None
    ) -> Iterator[httpx.Response]:
        """The answer that is no redirect, its body not read yet; asked again while that may help."""
        question = Question(method, url, headers or {}, content)
        busy = BUSY_READING if question.may_be_followed else BUSY_WRITING
        answer = persistently(partial(self._followed, question), self.patience, subject=self.name, busy=busy)
        with closing(answer):
            yield answer

    def ask_once(
        self, method: str, url: httpx.URL, *, headers: Mapping[str, str] | None = None, content: Content | None = None
    ) -> httpx.Response:
        """The same without another attempt; the caller closes it. Raises `persistence.BROKEN`."""
        return self._followed(Question(method, url, headers or {}, content))

    def close(self) -> None:
        """No connection is open."""
        self._wire.close()

    def _followed(self, question: Question) -> httpx.Response:
        url = question.url
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._answer(question, url)
            if not (question.may_be_followed and answer.has_redirect_location):
                return answer
            with closing(answer):
                url = self._next(url, answer.headers["location"])
        raise RegistryFault(
            subject=self.name,
            check=f"it redirects more than {_MAX_REDIRECTS} times",
            remedy="ask who runs it: no registry needs that",
        )

    def _answer(self, question: Question, url: httpx.URL) -> httpx.Response:
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
        fault = fault_of_target(current, target, began_here=self._wire.began_here)
        if fault is not None:
            raise self._refused(target, what, fault)
        return target

    def _joined(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        try:
            return current.join(location)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._refused(None, what, "which is no address") from error

    def _refused(self, target: httpx.URL | None, what: str, fault: str) -> RegistryFault:
        where = "something" if target is None else shown_place(target)
        return RegistryFault(
            subject=self.name,
            check=f"{what} to {where}, {fault}",
            remedy="do not follow it: what you send there, credentials included, would be theirs",
        )
