"""What can go wrong with an answer, said in our words; what a server or a library says of an address is never shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent_sync.errors import LimitExceeded, NetworkError
from agent_sync_oci.redaction import redact_address
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    import httpx

_REMEDIES = {
    401: "put the credentials for this host into ~/.netrc",
    403: "see that you may read it, and that ~/.netrc has the credentials for this host",
    404: "correct the address",
}


def subject_of(url: str) -> str:
    """The address as an error may show it."""
    return _text(redact_address(url))


def refuse_answer(answer: httpx.Response, url: str, *, max_bytes: int) -> None:
    """Nothing, if the body of `answer` is the file itself. Raises NetworkError, LimitExceeded (its length)."""
    if answer.status_code != 200:
        check = f"the server answered {answer.status_code} {_text(answer.reason_phrase)}".rstrip()
        remedy = _REMEDIES.get(answer.status_code, "try again later")
        raise NetworkError(subject=subject_of(url), check=check, remedy=remedy)
    encoding = answer.headers.get("content-encoding", "").lower()
    if encoding not in ("", "identity"):
        check = f"the server sent it encoded ({quoted(encoding)}), though asked not to"
        raise NetworkError(subject=subject_of(url), check=check, remedy="use an address that serves the file itself")
    announced = answer.headers.get("content-length")  # digits, at most twenty: h11 refuses others
    if announced is not None and int(announced) > max_bytes:
        raise too_large(url, f"it has {announced} bytes")


def too_large(url: str, check: str) -> LimitExceeded:
    remedy = "raise max_file_size under `limits:`, if the file is meant to be so large"
    return LimitExceeded(subject=subject_of(url), check=f"{check} (max_file_size)", remedy=remedy)


def took_too_long(url: str, timeout_s: float) -> LimitExceeded:
    return LimitExceeded(
        subject=subject_of(url),
        check=f"the server did not finish within {timeout_s:g} s (fetch_timeout)",
        remedy="try again, or raise fetch_timeout under `limits:`",
    )


@contextmanager
def translated(url: str, timeout_s: float) -> Iterator[None]:
    """httpx's errors, and those of sockets and resolvers that it lets through, as ours."""
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        raise took_too_long(url, timeout_s) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise _broken(error, url) from error


def _broken(error: Exception, url: str) -> NetworkError:
    causes = list(_causes(error))
    refused = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return NetworkError(
            subject=subject_of(url),
            check=f"its certificate is not accepted: {_text(refused.verify_message)}",
            remedy="if your network has an authority of its own, name its file in SSL_CERT_FILE; "
            "if not, someone may be in between",
        )
    return NetworkError(
        subject=subject_of(url),
        check=f"the server could not be reached or broke off: {_text(str(causes[-1])) or type(error).__name__}",
        remedy="see that the host is right and can be reached",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, the first reason last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _text(foreign: str) -> str:
    return quoted(foreign)[1:-1]
