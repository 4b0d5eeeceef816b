"""The network of this machine: one URL over HTTP(S), and registries, layouts and archives by reference.

A URL is read in a thread of its own, so that reading overlaps with hashing and writing, and so that the caller can give
up at any moment: a resolver cannot be interrupted, but it can be left alone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from agent_sync.errors import LimitExceeded, NetworkError
from agent_sync.limits import LimitKey, limit_exceeded
from agent_sync.ports import Cancellation
from agent_sync_oci.text import printable, quoted, redact_address

if TYPE_CHECKING:
    import httpx

    from agent_sync_oci.http.network import Network
    from agent_sync_oci.http.transport import Connections
    from agent_sync_oci.reference import Reference, RegistryReference
    from agent_sync_oci.registry.protocol import Registry


MAX_REDIRECTS = 10
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "agent-sync"}
_POLL_S = 0.1  # how soon a cancellation is noticed while the server is silent

_REMEDIES = {
    401: "put the credentials for this host into ~/.netrc",
    403: "check that you may read the file, and that ~/.netrc has the credentials for this host",
    404: "correct the address",
}


class _MachineNetwork:
    """The network that the environment describes, found out about when a connection first needs it, and once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._finding = threading.Lock()
        self._found: Network | None = None

    def __call__(self) -> Network:
        from agent_sync_oci.http.network import Network

        with self._finding:
            if self._found is None:
                self._found = Network.of(self._environment)
            return self._found


class HttpFetcher:
    """Implements `ports.Fetcher`: proxies, certificates and netrc are those that `environment` names.

    Nothing is kept open between two fetches; any number of threads may fetch at once.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._network = _MachineNetwork(environment)

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
        size_key: LimitKey = "max_file_size",
    ) -> None:
        from agent_sync_oci.http.transport import Connections  # brings httpx, which takes 0.1 s to load

        cancellation.check()
        end = monotonic() + timeout_s
        connections = Connections()
        too_large = partial(_too_large, url, size_key)
        body = partial(self._body, url, connections, too_large, max_bytes=max_bytes, timeout_s=timeout_s)
        with read_ahead(body, abort=connections.cut) as ahead:
            while not ahead.is_over:
                cancellation.check()
                left_s = end - monotonic()
                if left_s <= 0:
                    raise _too_slow(url, timeout_s)
                for chunk in ahead.next(timeout_s=min(left_s, _POLL_S)):
                    write(chunk)

    def _body(
        self,
        url: str,
        connections: Connections,
        too_large: Callable[[str], LimitExceeded],
        *,
        max_bytes: int,
        timeout_s: float,
    ) -> Iterator[bytes]:
        """Yield the bytes as the server sends them, not decoded."""
        with _network_errors(url, timeout_s), self._response(url, connections, timeout_s) as response:
            _require_file(response, url, too_large, max_bytes=max_bytes)
            received = 0
            for chunk in response.iter_raw():
                received += len(chunk)
                if received > max_bytes:
                    raise too_large(f"the body has more than {max_bytes} bytes")
                yield chunk

    @contextmanager
    def _response(self, url: str, connections: Connections, timeout_s: float) -> Iterator[httpx.Response]:
        """Open the response that is no redirect. netrc's login goes to the origin of `url` alone."""
        import httpx

        from agent_sync_oci.http.client import HttpClient
        from agent_sync_oci.http.network import netrc_authorization
        from agent_sync_oci.http.retry import Deadline

        first = httpx.URL(url)
        if first.scheme not in ("http", "https") or not first.raw_host:
            raise NetworkError(subject=_subject(url), check="not an http(s) address", remedy="correct the address")
        deadline = Deadline(timeout_s, connections.check, expired=lambda: _too_slow(url, timeout_s))
        client = HttpClient(first, self._network(), deadline, subject=_subject(url), opened=connections)
        authorization = netrc_authorization(first, self._environment)

        def send(address: httpx.URL) -> httpx.Response:
            login = {} if authorization is None or not client.is_origin(address) else {"Authorization": authorization}
            return client.send(httpx.Request("GET", address, headers={**_HEADERS, **login}))

        with (
            deadline.one_call(),
            closing(client),
            closing(client.follow(first, send, max_redirects=MAX_REDIRECTS)) as response,
        ):
            yield response


# -- reading ahead ---------------------------------------------------------------------------------------------------

_BATCH = 4  # chunks that change hands at once: a handover takes as long as reading one chunk
_DEPTH = 4  # batches that wait: 4 MiB in flight, since no chunk has more than 256 KiB
_JOIN_S = 1.0  # for a thread that was told to stop; one that waits for a resolver or a proxy ends by itself


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class ReadAhead:
    """The chunks that a thread has ready."""

    def __init__(self, produce: Callable[[], Iterator[bytes]]) -> None:
        self.is_over = False
        self._produce = produce
        self._ready: queue.Queue[list[bytes] | _End] = queue.Queue(_DEPTH)
        self._batch: list[bytes] = []
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agent-sync-fetch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next(self, *, timeout_s: float) -> Sequence[bytes]:
        """Return the next chunks; none if none came in time, or (`is_over`) none will. Raises what `produce` raised."""
        try:
            ready = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            return ()
        if not isinstance(ready, _End):
            return ready
        self.is_over = True
        if ready.error is not None:
            raise ready.error
        return ()

    def abandon(self, abort: Callable[[], None]) -> None:
        """Drop the rest, and end the thread, unless it waits for something that cannot be interrupted."""
        self._unwanted.set()
        abort()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        with ExitStack() as stack:
            stack.push(self._end)
            for chunk in self._produce():
                self._batch.append(chunk)
                if len(self._batch) == _BATCH and not self._hand_over():
                    return

    def _end(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Whatever ended the iterator is raised by `next`, in the caller's thread; in this one the matter is closed."""
        self._hand_over()
        self._put(_End(error))
        return True

    def _hand_over(self) -> bool:
        """Hand the batch over, and return whether more is wanted."""
        batch, self._batch = self._batch, []
        return self._put(batch)

    def _put(self, ready: list[bytes] | _End) -> bool:
        while not self._unwanted.is_set():
            try:
                self._ready.put(ready, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def read_ahead(produce: Callable[[], Iterator[bytes]], *, abort: Callable[[], None]) -> Iterator[ReadAhead]:
    """Read what `produce` yields in a thread. `abort` makes the iterator fail soon, wherever it is."""
    ahead = ReadAhead(produce)
    ahead.start()
    try:
        yield ahead
    finally:
        ahead.abandon(abort)


# -- errors ----------------------------------------------------------------------------------------------------------


def _require_file(
    response: httpx.Response, url: str, too_large: Callable[[str], LimitExceeded], *, max_bytes: int
) -> None:
    """Raise unless the body of the response is the file itself: NetworkError, LimitExceeded (its length)."""
    if response.status_code != 200:
        check = f"the server responded {response.status_code} {printable(response.reason_phrase)}".rstrip()
        remedy = _REMEDIES.get(response.status_code, "try again later")
        raise NetworkError(subject=_subject(url), check=check, remedy=remedy)
    encoding = response.headers.get("content-encoding", "").lower()
    if encoding not in ("", "identity"):
        check = f"the server sent the file encoded ({quoted(encoding)}), though asked not to"
        raise NetworkError(subject=_subject(url), check=check, remedy="use an address that serves the file itself")
    announced = response.headers.get("content-length")  # digits, at most twenty: h11 refuses others
    if announced is not None and int(announced) > max_bytes:
        raise too_large(f"the file has {announced} bytes, more than {max_bytes}")


def _too_large(url: str, key: LimitKey, check: str) -> LimitExceeded:
    return limit_exceeded(key, subject=_subject(url), check=check)


def _too_slow(url: str, timeout_s: float) -> LimitExceeded:
    check = f"the server did not finish within {timeout_s:g} s"
    return limit_exceeded("fetch_timeout", subject=_subject(url), check=check, otherwise="try again")


@contextmanager
def _network_errors(url: str, timeout_s: float) -> Iterator[None]:
    """Raise NetworkError or LimitExceeded for the errors of httpcore, sockets and resolvers.

    What a library says of an address is not shown.
    """
    import httpcore
    import httpx

    from agent_sync_oci.http.retry import CONNECTION_ERRORS, connection_failed

    try:
        yield
    except httpcore.TimeoutException as error:
        raise _too_slow(url, timeout_s) from error
    except (*CONNECTION_ERRORS, httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise connection_failed(error, _subject(url), error=NetworkError) from error


def _subject(url: str) -> str:
    """Return the address as an error may show it."""
    return printable(redact_address(url))


# -- registries ------------------------------------------------------------------------------------------------------


class MachineRegistries:
    """Implements `ports.Registries`. Each kind is imported when the first of it is opened."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` says where credentials are, which authorities are trusted, and which proxies to use."""
        self._network = _MachineNetwork(environment)

    def open(
        self, reference: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        from agent_sync_oci.reference import ArchiveReference, LayoutReference, RegistryReference

        match reference:
            case LayoutReference():
                from agent_sync_oci.registry.layout import LayoutRegistry

                return LayoutRegistry(reference.directory)
            case ArchiveReference():
                from agent_sync_oci.registry.archive import ArchiveRegistry

                return ArchiveRegistry(reference.file)
            case RegistryReference():
                return self._open_remote(reference, timeout_s, cancellation, plain_http=plain_http)

    def _open_remote(
        self, reference: RegistryReference, timeout_s: float, cancellation: Cancellation, *, plain_http: bool
    ) -> AbstractContextManager[Registry]:
        from agent_sync_oci.registry.remote.repository import RemoteRegistry

        return RemoteRegistry(
            reference,
            plain_http=plain_http or None,
            timeout_s=timeout_s,
            timeout_remedy="try again, or raise fetch_timeout under `limits:`",
            network=self._network(),
            check=cancellation.check,
        )
