"""HttpFetcher: one URL, streamed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from agent_sync.adapters.http.faults import took_too_long
from agent_sync.adapters.http.line import Line
from agent_sync.adapters.http.reading_ahead import reading_ahead
from agent_sync.adapters.http.trust import tls_context
from agent_sync.ports import Cancellation

if TYPE_CHECKING:
    import ssl

_TICK_S = 0.1  # how soon a wish to stop is heard while the server is silent


class HttpFetcher:
    """The `Fetcher` (ports) of this machine: proxies, certificates and netrc as `environment` names them.

    Nothing stays open between two fetches; any number of threads may fetch at once.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._reading_authorities = threading.Lock()
        self._authorities: ssl.SSLContext | None = None

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
    ) -> None:
        cancellation.check()
        end = monotonic() + timeout_s
        line = Line()
        with reading_ahead(partial(self._body, url, line, max_bytes, timeout_s), hang_up=line.hang_up) as body:
            while not body.is_over:
                cancellation.check()
                left_s = end - monotonic()
                if left_s <= 0:
                    raise took_too_long(url, timeout_s)
                for chunk in body.next(timeout_s=min(left_s, _TICK_S)):
                    write(chunk)

    def _body(self, url: str, line: Line, max_bytes: int, timeout_s: float) -> Iterator[bytes]:
        from agent_sync.adapters.http.hops import Journey  # brings httpx, which takes 0.1 s to load

        journey = Journey(url, line, environment=self._environment, authorities=self._trusted(), timeout_s=timeout_s)
        return journey.body(max_bytes=max_bytes)

    def _trusted(self) -> ssl.SSLContext:
        """Read once: the machine's list of authorities takes tens of milliseconds."""
        with self._reading_authorities:
            if self._authorities is None:
                self._authorities = tls_context(self._environment)
            return self._authorities
