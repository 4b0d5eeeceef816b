"""Fetching as a test asks for it: whole bodies, short limits, and the refusal as a value."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_sync.adapters.network import HttpFetcher
from agent_sync.errors import AgentSyncError
from agent_sync.limits import LimitKey
from agent_sync.ports import Cancellation, Fetcher
from tests.real.authority import Authority


def a_fetcher(authority: Authority | None = None, /, **variables: str) -> HttpFetcher:
    """The real one on a machine with these variables, which trusts `authority`."""
    trusted = {} if authority is None else {"SSL_CERT_FILE": str(authority.ca_file)}
    return HttpFetcher({**trusted, **variables})


def body_of(
    url: str,
    fetcher: Fetcher | None = None,
    *,
    max_bytes: int = 10_000_000,
    timeout_s: float = 20.0,
    cancellation: Cancellation | None = None,
    size_key: LimitKey = "max_file_size",
) -> bytes:
    """What is written of the body, as one."""
    body = bytearray()
    (fetcher or a_fetcher()).fetch(
        url,
        body.extend,
        max_bytes=max_bytes,
        timeout_s=timeout_s,
        cancellation=cancellation or Cancellation(),
        size_key=size_key,
    )
    return bytes(body)


def refusal_of(
    url: str, fetcher: Fetcher | None = None, *, max_bytes: int = 10_000_000, timeout_s: float = 20.0
) -> AgentSyncError:
    """The error of a fetch; it says what to do and nothing that a terminal would obey."""
    with pytest.raises(AgentSyncError) as caught:
        body_of(url, fetcher, max_bytes=max_bytes, timeout_s=timeout_s)
    assert caught.value.remedy
    assert str(caught.value).isprintable()
    return caught.value


def a_netrc(text: str, path: str) -> Mapping[str, str]:
    """The variable that names a netrc file with this text."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return {"NETRC": path}
