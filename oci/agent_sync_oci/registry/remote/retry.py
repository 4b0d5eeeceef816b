"""Another attempt, where one may help: a registry that is busy or restarts, a connection that was cut."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from agent_sync_oci.errors import RegistryError
from agent_sync_oci.registry.remote.deadline import Deadline
from agent_sync_oci.text import quoted

CONNECTION_ERRORS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)
"""What ends a connection."""

BACKOFF_S = (0.1, 0.3, 0.9)
"""Before the second, third and fourth attempt; there is no fifth."""

RETRYABLE = frozenset({429, 502, 503, 504})
RETRYABLE_READS = RETRYABLE | {500}
RETRYABLE_WRITES = RETRYABLE | {400, 500}
"""CNCF distribution on a file system answers so while somebody else writes the same manifest or tag (measured)."""
_MAX_RETRY_AFTER_S = 30.0


def with_retries(
    send: Callable[[], httpx.Response], patience: Deadline, *, subject: str, busy: Collection[int] = RETRYABLE
) -> httpx.Response:
    """The first answer that is final, as none of `busy` is, or the last one. Raises RegistryError if there is none."""
    for pause_s in BACKOFF_S:
        try:
            answer = send()
        except CONNECTION_ERRORS as error:
            if _is_final(error):
                raise connection_failed(error, subject) from error
            patience.sleep(pause_s)
            continue
        wait_s = retry_after_s(answer)
        if answer.status_code not in busy or wait_s > _MAX_RETRY_AFTER_S:
            return answer
        answer.close()
        patience.sleep(max(pause_s, wait_s))
    try:
        return send()
    except CONNECTION_ERRORS as error:
        raise connection_failed(error, subject) from error


def retry_after_s(answer: httpx.Response) -> float:
    """What `Retry-After` says, in seconds from now (RFC 9110 §10.2.3); 0 if it says nothing that makes sense."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def connection_failed(error: Exception, subject: str) -> RegistryError:
    """What `CONNECTION_ERRORS` means to the user. What a library says of an address is not shown."""
    causes = list(_causes(error))
    refused = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return RegistryError(
            subject=subject,
            check=f"its certificate is not accepted: {quoted(refused.verify_message)}",
            remedy="if your network has an authority of its own, name its file in SSL_CERT_FILE; "
            "if not, someone may be in between",
        )
    return RegistryError(
        subject=subject,
        check=f"it could not be reached or broke off: {quoted(str(causes[-1]) or type(error).__name__)}",
        remedy="see that the host is right and can be reached, and whether it speaks http or https",
    )


def _is_final(error: Exception) -> bool:
    """Whether another attempt would end in the same way: a certificate or a name does not get better in seconds."""
    return any(
        isinstance(each, ssl.SSLCertVerificationError)
        or (isinstance(each, socket.gaierror) and each.errno != socket.EAI_AGAIN)
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, the first reason last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
