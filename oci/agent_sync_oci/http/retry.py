"""Another attempt, where one may help: a server that is busy or restarts, a connection that was cut."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from agent_sync_oci.errors import NetworkError
from agent_sync_oci.http.deadline import Deadline
from agent_sync_oci.text import printable

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
        check=f"the connection failed: {printable(str(causes[-1]) or type(cause).__name__)}",
        remedy="check that the host is right and can be reached, and whether it speaks http or https",
    )


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
