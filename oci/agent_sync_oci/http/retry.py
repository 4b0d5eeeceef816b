"""Deadlines and retries: how long a call may take, and when another attempt may help.

A deadline holds whatever the server does: drips headers, stays silent, asks to wait, fails. Another attempt helps where
a server is busy or restarts, or a connection was cut.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from agent_sync_oci.errors import AgentSyncError, NetworkError
from agent_sync_oci.text import printable

POLL_S = 0.1
"""How soon a cancellation is noticed while the server is silent."""


class Deadline:
    """The time that is left for the call in progress; each thread has its own clock.

    `check` is asked at every wait, and raises to cancel. `expired` makes the error for a call that took `timeout_s`.
    """

    def __init__(self, timeout_s: float, check: Callable[[], None], *, expired: Callable[[], AgentSyncError]) -> None:
        self._timeout_s = timeout_s
        self._check = check
        self._expired = expired
        self._clock = threading.local()  # threads share a client, and each of their calls has an end of its own

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """Run the clock for the block; a call within a call has a clock of its own."""
        outer = getattr(self._clock, "end", None)
        self._clock.end = time.monotonic() + self._timeout_s
        try:
            yield
        finally:
            self._clock.end = outer

    def remaining_s(self) -> float:
        """Return the seconds that are left, more than none. Raises what `expired` makes, and what `check` raises."""
        self._check()
        remaining_s: float = self._clock.end - time.monotonic()
        if remaining_s <= 0:
            raise self._expired()
        return remaining_s

    def poll_s(self) -> float:
        """Return how long to wait for the network before asking again. Raises as `remaining_s`."""
        return min(self.remaining_s(), POLL_S)

    def sleep(self, seconds: float) -> None:
        """Sleep, in steps that notice a cancellation. Raises as `remaining_s`."""
        end = time.monotonic() + seconds
        while (rest_s := end - time.monotonic()) > 0:
            time.sleep(min(rest_s, self.poll_s()))


# -- retries ---------------------------------------------------------------------------------------------------------

CONNECTION_ERRORS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)
"""What httpcore raises when a connection fails."""

BACKOFF_S = (0.1, 0.3, 0.9)
"""Pauses before the second, third and fourth attempt; there is no fifth."""

RETRYABLE = frozenset({429, 502, 503, 504})
RETRYABLE_READS = RETRYABLE | {500}
RETRYABLE_WRITES = RETRYABLE | {400, 500}
"""CNCF distribution on a file system answers 400 while somebody else writes the same manifest or tag (measured)."""
_MAX_RETRY_AFTER_S = 30.0


def with_retries(
    send: Callable[[], httpx.Response],
    deadline: Deadline,
    *,
    subject: str,
    error: type[NetworkError],
    retryable: Collection[int] = RETRYABLE,
) -> httpx.Response:
    """Return the first response whose status is not `retryable`, or else the last one.

    Raises `error` if no attempt brought a response, and as `Deadline.remaining_s`.
    """
    for pause_s in BACKOFF_S:
        try:
            response = send()
        except CONNECTION_ERRORS as cause:
            if _is_permanent(cause):
                raise connection_failed(cause, subject, error=error) from cause
            deadline.sleep(pause_s)
            continue
        wait_s = retry_after_s(response)
        # A server that asks for minutes is not waited for: its user can decide that better.
        if response.status_code not in retryable or wait_s > _MAX_RETRY_AFTER_S:
            return response
        response.close()
        deadline.sleep(max(pause_s, wait_s))
    try:
        return send()
    except CONNECTION_ERRORS as cause:
        raise connection_failed(cause, subject, error=error) from cause


def retry_after_s(response: httpx.Response) -> float:
    """Return what `Retry-After` asks for, in seconds from now; 0 if it asks for nothing sensible.

    Source: RFC 9110 section 10.2.3.
    """
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def connection_failed(cause: Exception, subject: str, *, error: type[NetworkError]) -> NetworkError:
    """Return the error for a connection that failed; what a library says of an address is not in it."""
    # The first cause tells most: httpcore wraps the errors of sockets, resolvers and TLS.
    causes = list(_chain(cause))
    rejected = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if rejected is not None:
        return error(
            subject=subject,
            check=f"the server's certificate is not accepted: {printable(rejected.verify_message)}",
            remedy="if your network has its own certificate authority, name its file in SSL_CERT_FILE; "
            "if not, somebody may be intercepting the connection",
        )
    return error(
        subject=subject,
        check=f"the connection failed: {printable(_reason(causes[-1]) or type(cause).__name__)}",
        remedy="check the host name, the network, and whether the server speaks HTTP or HTTPS",
    )


def _reason(cause: BaseException) -> str:
    """Return what the system says, without the number that Python puts before it."""
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def _is_permanent(cause: Exception) -> bool:
    """Return whether another attempt would fail too: a certificate or a name does not change within seconds."""
    return any(
        isinstance(each, ssl.SSLCertVerificationError)
        or (isinstance(each, socket.gaierror) and each.errno != socket.EAI_AGAIN)
        for each in _chain(cause)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what led to it, the first reason last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
