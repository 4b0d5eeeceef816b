"""Another attempt, where one may help: a registry that is busy or restarts, a connection that was cut."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from agent_sync_oci.errors import RegistryFault, shown
from agent_sync_oci.registry.remote.patience import Patience

BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)
"""What ends a connection."""

PAUSES_S = (0.1, 0.3, 0.9)
"""Before the second, third and fourth attempt; there is no fifth."""

BUSY = frozenset({429, 502, 503, 504})
BUSY_READING = BUSY | {500}
BUSY_WRITING = BUSY | {400, 500}
"""CNCF distribution on a file system answers so while somebody else writes the same manifest or tag (measured)."""
_LONGEST_WAIT_S = 30.0


def persistently(
    send: Callable[[], httpx.Response], patience: Patience, *, subject: str, busy: Collection[int] = BUSY
) -> httpx.Response:
    """The first answer that is final, as none of `busy` is, or the last one. Raises RegistryFault if there is none."""
    for pause_s in PAUSES_S:
        try:
            answer = send()
        except BROKEN as error:
            if _is_final(error):
                raise unreachable(error, subject) from error
            patience.sleep(pause_s)
            continue
        wait_s = asked_to_wait_s(answer)
        if answer.status_code not in busy or wait_s > _LONGEST_WAIT_S:
            return answer
        answer.close()
        patience.sleep(max(pause_s, wait_s))
    try:
        return send()
    except BROKEN as error:
        raise unreachable(error, subject) from error


def asked_to_wait_s(answer: httpx.Response) -> float:
    """What `Retry-After` says, in seconds from now (RFC 9110 §10.2.3); 0 if it says nothing that makes sense."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def unreachable(error: Exception, subject: str) -> RegistryFault:
    """What `BROKEN` means to the user. What a library says of an address is not shown."""
    causes = list(_causes(error))
    refused = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return RegistryFault(
            subject=subject,
            check=f"its certificate is not accepted: {shown(refused.verify_message)}",
            remedy="if your network has an authority of its own, name its file in SSL_CERT_FILE; "
            "if not, someone may be in between",
        )
    return RegistryFault(
        subject=subject,
        check=f"it could not be reached or broke off: {shown(str(causes[-1]) or type(error).__name__)}",
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
