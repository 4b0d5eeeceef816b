"""The way out of this machine: certificate authorities, proxies, netrc, and where docker keeps credentials."""

from __future__ import annotations

import ipaddress
import netrc
import posixpath
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from agent_sync_oci.errors import FileSystemError, NetworkError
from agent_sync_oci.text import quoted


def no_proxy(_url: httpx.URL) -> None:
    """Use no proxy, whatever the address."""


@dataclass(frozen=True, slots=True)
class Network:
    """What whoever wires the program has found out about the machine.

    `authorities` is called before the first connection over TLS; `proxy_for` returns the proxy for an address.
    `docker_config` is a file as `docker login` writes it; a credential helper that it names has `helper_timeout_s`.
    """

    authorities: Callable[[], ssl.SSLContext] = ssl.create_default_context
    proxy_for: Callable[[httpx.URL], httpx.Proxy | None] = no_proxy
    docker_config: Path | None = None
    helper_timeout_s: float = 30.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Network:
        """Return the network as these variables describe it."""
        authorities = _Authorities(environment)
        return cls(
            authorities=authorities,
            proxy_for=lambda url: proxy_for(url, environment, authorities=authorities),
            docker_config=_docker_config(environment),
        )


class _Authorities:
    """The certificate authorities to trust, read when a connection first needs them.

    Once, whatever the number of threads: reading takes tens of milliseconds, and sources are fetched side by side.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._reading = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def __call__(self) -> ssl.SSLContext:
        with self._reading:
            if self._context is None:
                self._context = tls_context(self._environment)
            return self._context


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return the machine's certificate authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR.

    Where this Python finds none, those that httpx brings along. Raises FileSystemError if SSL_CERT_FILE has no
    certificate.
    """
    file, directory = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or directory:
        return _context_of(file or None, directory or None)
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not paths.capath:
        # A Python that was built elsewhere may look where this system has nothing.
        return httpx.create_ssl_context(trust_env=False)
    return context


def proxy_for(
    url: httpx.URL, environment: Mapping[str, str], *, authorities: Callable[[], ssl.SSLContext]
) -> httpx.Proxy | None:
    """Return the proxy for this address; None if it is reached directly.

    `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` count, in either case. Raises NetworkError for a variable
    that names no proxy.
    """
    name = f"{url.scheme}_proxy"
    address = _variable(name, environment) or _variable("all_proxy", environment)
    if not address or _is_exempt(url, _variable("no_proxy", environment)):
        return None
    try:
        proxy = _proxy_url(address)
        return httpx.Proxy(proxy, ssl_context=authorities() if proxy.scheme == "https" else None)
    except (ValueError, httpx.InvalidURL) as error:
        raise NetworkError(
            subject=f"the proxy in {name} or all_proxy",  # not its address, which may hold a password
            check="not an http:// or https:// address",
            remedy="correct the variable, or list the host under no_proxy",
        ) from error


def _context_of(file: str | None, directory: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file, capath=directory)
    except OSError as error:  # ssl.SSLError is one, and means that the file has no certificate
        reason = "the file has no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise FileSystemError(
            subject=f"SSL_CERT_FILE, {quoted(file or '')}",
            check=f"cannot read certificates: {reason}",
            remedy="name a PEM file of the authorities to trust, or unset the variable",
        ) from error


def _docker_config(environment: Mapping[str, str]) -> Path | None:
    """Return the file that `docker login` writes: in DOCKER_CONFIG, else below the home directory."""
    directory = environment.get("DOCKER_CONFIG")
    if not directory and (home := environment.get("HOME")):
        directory = posixpath.join(home, ".docker")
    return Path(directory, "config.json") if directory else None


def _proxy_url(address: str) -> httpx.URL:
    url = httpx.URL(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise ValueError("not a proxy")
    return url


def _variable(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable in either case.

    A web server puts a request's `Proxy:` header into HTTP_PROXY, so a CGI program must not heed that one (httpoxy,
    CVE-2016-5385).
    """
    if name in environment:
        return environment[name]
    is_forged = name == "http_proxy" and "REQUEST_METHOD" in environment
    return "" if is_forged else environment.get(name.upper(), "")


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    """Return what curl would: `*`, a host with its subdomains, an address, or a network such as 10.0.0.0/8."""
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


# -- netrc -----------------------------------------------------------------------------------------------------------


def netrc_authorization(url: httpx.URL, environment: Mapping[str, str]) -> str | None:
    """Return the `Authorization` header for this address; None if netrc has no entry for its host.

    It is for the origin that was asked for, and for none that its server redirects to.

    A user name in the address chooses: without an entry for that user, the name is sent with an empty password, as curl
    does. Raises FileSystemError if the netrc file cannot be read.
    """
    login, password = _entry(url.host, environment)
    if url.username and url.username != login:
        login, password = url.username, ""
    if not login and not password:
        return None
    return "Basic " + b64encode(f"{login}:{password}".encode()).decode()


def _entry(host: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return login and password of `NETRC` or `~/.netrc` for this host; empty if there are none."""
    home = environment.get("HOME")
    path = environment.get("NETRC") or (posixpath.join(home, ".netrc") if home else None)
    if path is None:
        return "", ""
    try:
        login, _, password = netrc.netrc(path).authenticators(host) or ("", "", "")
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        raise _unreadable(path, error.strerror or "input/output error") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "not text") from error
    except netrc.NetrcParseError as error:
        # Not its message, which may quote a password.
        raise _unreadable(path, f"line {error.lineno} makes no sense") from None
    return login or "", password or ""


def _unreadable(path: str, reason: str) -> FileSystemError:
    return FileSystemError(subject=quoted(path), check=f"cannot be read: {reason}", remedy="correct or remove the file")
