"""The network: one URL at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent_sync.ports.time import Cancellation


class Fetcher(Protocol):
    """Gets one URL. May be used by several threads at once."""

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
    ) -> None:
        """Every byte of the body goes to `write`, as the server has it; the caller's thread does the writing.

        What came before an error has been written. Raises NetworkError (unreachable, status, a redirect that is
        refused), LimitExceeded (`max_bytes`, `timeout_s`), Cancelled, FileFault (credentials, authorities), and what
        `write` raises.
        """
        ...
