"""What this machine has for reaching registries: authorities, proxies, credentials. Nothing here is looked up."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def no_proxy(_url: httpx.URL) -> None:
    """No proxy, whatever the address."""


@dataclass(frozen=True, slots=True)
class Network:
    """Found out by whoever wires the program.

    `authorities` is called before the first connection over TLS; `proxy_for` says which proxy leads to an address.
    `docker_config` is a file as `docker login` writes it; a credential helper that it names has `helper_timeout_s`.
    """

    authorities: Callable[[], ssl.SSLContext] = ssl.create_default_context
    proxy_for: Callable[[httpx.URL], httpx.Proxy | None] = no_proxy
    docker_config: Path | None = None
    helper_timeout_s: float = 30.0
