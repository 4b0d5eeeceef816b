"""From the address that was asked for, over its redirects, to the body: everything that talks to a server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx

from agent_sync.adapters.http.credentials import authorization_for
from agent_sync.adapters.http.discretion import keep_addresses_out_of_logs
from agent_sync.adapters.http.faults import refuse_answer, subject_of, too_large, translated
from agent_sync.adapters.http.line import Line
from agent_sync.adapters.http.proxies import proxy_for
from agent_sync.errors import NetworkError
from agent_sync_oci.addresses import (
    Address,
    is_loopback,
    literal_address,
    origin_of,
    parse_address,
    peer_refusal,
    redirect_refusal,
)

MAX_REDIRECTS = 10
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "agent-sync"}


class Journey:
    """One fetch. Every hop has a connection of its own, judged by the address that it really reached.

    httpx's transport is used without its client, which would write addresses to the log, carry cookies from hop to hop
    and read the environment of the process.
    """

    def __init__(
        self, url: str, line: Line, *, environment: Mapping[str, str], authorities: ssl.SSLContext, timeout_s: float
    ) -> None:
        self._url = url
        self._line = line
        self._environment = environment
        self._authorities = authorities
        self._timeout_s = timeout_s
        self._began_here = False  # the address that was asked for is on this machine

    def body(self, *, max_bytes: int) -> Iterator[bytes]:
        """The bytes as the server sends them, not decoded.

        Raises: NetworkError, LimitExceeded (longer than `max_bytes`, or too slow), FileSystemError (netrc).
        """
        with translated(self._url, self._timeout_s), self._answer() as answer:
            refuse_answer(answer, self._url, max_bytes=max_bytes)
            received = 0
            for chunk in answer.iter_raw():
                received += len(chunk)
                if received > max_bytes:
                    raise too_large(self._url, f"its body has more than {max_bytes} bytes")
                yield chunk

    @contextmanager
    def _answer(self) -> Iterator[httpx.Response]:
        """The answer that is no redirect, its body not read yet."""
        keep_addresses_out_of_logs()
        first = hop = httpx.URL(self._url)
        host = literal_address(first.raw_host)
        self._began_here = host is not None and is_loopback(host)
        credentials = authorization_for(first, self._environment)
        for _ in range(MAX_REDIRECTS + 1):
            headers = credentials if origin_of(hop) == origin_of(first) else {}
            with self._ask(hop, headers, is_first=hop is first) as answer:
                if not answer.has_redirect_location:
                    yield answer
                    return
                hop = self._next(hop, answer.headers["location"])
        raise NetworkError(
            subject=subject_of(self._url),
            check=f"it redirects more than {MAX_REDIRECTS} times",
            remedy="use the final address",
        )

    @contextmanager
    def _ask(self, hop: httpx.URL, headers: Mapping[str, str], *, is_first: bool) -> Iterator[httpx.Response]:
        proxy = proxy_for(hop, self._environment, authorities=lambda: self._authorities)

        def watch(event: str, facts: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                stream = facts["return_value"]
                with ExitStack() as on_error:
                    on_error.callback(stream.close)  # nobody else has it yet
                    self._line.add(stream.get_extra_info("socket"))
                    if proxy is None:
                        self._judge(hop, parse_address(stream.get_extra_info("server_addr")[0]), is_first=is_first)
                    on_error.pop_all()

        timeout = httpx.Timeout(self._timeout_s).as_dict()
        request = httpx.Request(
            "GET", hop, headers={**_HEADERS, **headers}, extensions={"timeout": timeout, "trace": watch}
        )
        with (
            httpx.HTTPTransport(verify=self._authorities, trust_env=False, proxy=proxy) as transport,
            closing(transport.handle_request(request)) as answer,
        ):
            yield answer

    def _judge(self, hop: httpx.URL, peer: Address, *, is_first: bool) -> None:
        """Refuses a peer before a byte is sent to it: a name may stand for another address each time it is asked."""
        if is_first:
            self._began_here = is_loopback(peer)
            return
        fault = peer_refusal(peer, began_here=self._began_here)
        if fault is not None:
            raise self._refused(str(hop), fault)

    def _next(self, current: httpx.URL, location: str) -> httpx.URL:
        """Where `location` leads; NetworkError if that is not allowed (redirects)."""
        try:
            target = current.join(location)
        except httpx.InvalidURL as error:
            raise self._refused(location, "which is no address") from error
        fault = redirect_refusal(current, target, began_here=self._began_here)
        if fault is not None:
            raise self._refused(str(target), fault)
        return target

    def _refused(self, target: str, fault: str) -> NetworkError:
        return NetworkError(
            subject=subject_of(self._url),
            check=f"it redirects to {subject_of(target)}, {fault}",
            remedy="if that address is meant, declare it yourself",
        )
