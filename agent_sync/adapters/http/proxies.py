"""Which proxy a request goes through: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in either case."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Mapping

import httpx

from agent_sync.errors import NetworkError


def proxy_for(
    url: httpx.URL, environment: Mapping[str, str], *, authorities: Callable[[], ssl.SSLContext]
) -> httpx.Proxy | None:
    """The proxy for this address; None if it is reached directly. NetworkError if what is named cannot be one."""
    name = f"{url.scheme}_proxy"
    address = _variable(name, environment) or _variable("all_proxy", environment)
    if not address or _is_exempt(url, _variable("no_proxy", environment)):
        return None
    try:
        proxy = _parsed(address)
        return httpx.Proxy(proxy, ssl_context=authorities() if proxy.scheme == "https" else None)
    except (ValueError, httpx.InvalidURL) as error:
        raise NetworkError(
            subject=f"the proxy that {name} or all_proxy names",  # its address may hold a password
            check="it is no http:// or https:// address",
            remedy="correct the variable, or list the host under no_proxy",
        ) from error


def _parsed(address: str) -> httpx.URL:
    url = httpx.URL(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise ValueError("not a proxy")
    return url


def _variable(name: str, environment: Mapping[str, str]) -> str:
    """A web server puts a request's `Proxy:` header into HTTP_PROXY, so a CGI program must not heed it (httpoxy)."""
    if name in environment:
        return environment[name]
    is_forged = name == "http_proxy" and "REQUEST_METHOD" in environment
    return "" if is_forged else environment.get(name.upper(), "")


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    """As curl reads it: `*`, a host with what is below it, an address, or a network such as 10.0.0.0/8."""
    host = url.host.lower().rstrip(".")
    entries = [each.strip().lower() for each in no_proxy.split(",")]
    return any(each == "*" or each == f"{host}:{url.port}" or _covers(each, host) for each in entries if each)


def _covers(entry: str, host: str) -> bool:
    name = entry.strip("[]").strip(".")
    if host == name or host.endswith(f".{name}"):
        return True
    try:
        return "/" in entry and ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
