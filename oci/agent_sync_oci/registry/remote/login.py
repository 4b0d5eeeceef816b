"""Logging in: oras finds the credentials and answers the registry's challenges; what it sends goes over our wire.

oras trusts what it reads: it would send the password to whatever address a registry names, take `Basic realm="x"` for
the address of a token server, wait for ever for a helper, and follow redirects. Here it gets a session that does none
of that, and is told beforehand whose credentials may go where.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import httpx
from oras.auth.token import TokenAuth  # type: ignore[import-untyped]
from oras.auth.utils import parse_auth_header  # type: ignore[import-untyped]
from oras.provider import Registry  # type: ignore[import-untyped]

from agent_sync_oci.addresses import origin_of, redirect_refusal
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, RegistryError
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.remote.client import body_of, quoted_origin, require_status
from agent_sync_oci.registry.remote.credentials import DockerCredentials
from agent_sync_oci.registry.remote.deadline import Deadline
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.retry import with_retries
from agent_sync_oci.registry.remote.transport import Transport
from agent_sync_oci.strict_json import read_json
from agent_sync_oci.text import quoted

_MAX_TOKEN_BYTES = 1 << 20
_TOKEN = re.compile(r"[!-~]+")  # what may stand in a header
_RENEWALS = 2  # one because the token is too old or too narrow, one because another thread got a narrower one
_TOKEN_SERVERS = {"registry-1.docker.io": "https://auth.docker.io"}  # Docker Hub logs in elsewhere, and says so


class Access(Registry):  # type: ignore[misc]
    """oras's registry, for one repository. Reading and writing have a login each, since tokens are for one of them."""

    def __init__(
        self, place: RegistryReference, base: httpx.URL, wire: Transport, network: Network, patience: Deadline
    ) -> None:
        super().__init__(hostname=place.host, insecure=base.scheme == "http")
        self._wire = wire
        keyring = DockerCredentials(network)
        server = _TokenServer(base, wire, patience, subject=place.name)
        self._reading, self._writing = (_Login(place, base, keyring, server) for _ in range(2))

    def do_request(
        self, url: str, method: str = "GET", *, request: Callable[[str | None], httpx.Request]
    ) -> httpx.Response:
        """The answer, logged in as it asks for; 401 if that did not help. `request` gets the header to send."""
        del url  # `request` has it, and says it in the way that httpx has parsed it
        login = self._login(method)
        for _ in range(_RENEWALS):
            used = login.authorization
            answer: httpx.Response = self._wire.send(request(used))
            if answer.status_code != 401:
                return answer
            answer.close()
            self.answer(answer, method, refused=used)
        return self._wire.send(request(login.authorization))

    def answer(self, challenge: httpx.Response, method: str, *, refused: str | None) -> None:
        """The next request of this kind says who we are, other than with what was `refused`."""
        self._login(method).renew(challenge, refused=refused)

    def _login(self, method: str) -> _Login:
        return self._reading if method in ("GET", "HEAD") else self._writing


class _Login(TokenAuth):  # type: ignore[misc]
    """What oras knows of token servers; `authorization` is the header that it has come to, None before the first."""

    def __init__(
        self, place: RegistryReference, base: httpx.URL, keyring: DockerCredentials, server: _TokenServer
    ) -> None:
        super().__init__()
        self.session = server
        self.prefix = base.scheme
        self._tls_verify = True
        self.authorization: str | None = None
        self._place = place
        self._base = base
        self._keyring = keyring
        self._server = server
        self._renewing = threading.Lock()

    def renew(self, answer: httpx.Response, *, refused: str | None) -> None:
        """`authorization` is another one than was `refused`, as `answer` demands. Raises RegistryError."""
        with self._renewing:
            if self.authorization != refused:
                return  # another thread has been here
            challenges = {line.split(" ")[0].lower(): line for line in answer.headers.get_list("www-authenticate")}
            if "bearer" in challenges:
                self.authorization = self._token(challenges["bearer"])
            elif "basic" in challenges:
                self.authorization = self._password(refused)
            else:
                raise self._refusal("it wants a login of a kind that is not known here", "ask who runs it")

    def _password(self, refused: str | None) -> str:
        found = self._keyring.of(self._place.host)
        if found is None:
            raise self._refusal("it wants a login, and there is none for it", f"docker login {self._place.host}")
        if refused == f"Basic {found}":
            raise self._refusal("it does not accept the login", f"docker login {self._place.host}")
        return f"Basic {found}"

    def _token(self, challenge: str) -> str:
        self.__dict__.pop("_basic_auth", None)  # oras asks whether it is there
        found = self._credentials_for(parse_auth_header(challenge).realm)
        if found is not None:
            self._basic_auth = found
        headers, _ = self.authenticate_request(_Challenge({"Www-Authenticate": challenge}), {}, refresh=True)
        return str(headers["Authorization"])

    def _credentials_for(self, realm: str | None) -> str | None:
        """Those for the registry go to the registry itself; to another token server only if the user names it."""
        url = self._server.judged(realm or "")
        own = self._keyring.of(self._place.host)
        if origin_of(url) == origin_of(self._base) or self._is_its_token_server(url):
            return own
        host = url.netloc.decode("ascii")
        if self._keyring.names(host):
            return self._keyring.of(host)
        if own is not None:
            raise self._refusal(
                f"it sends us to {quoted(host)} for a token, and the login is for {self._place.host} alone",
                f"if {quoted(host)} may see a password, give it one under `auths` in the docker configuration",
            )
        return None

    def _is_its_token_server(self, url: httpx.URL) -> bool:
        known = _TOKEN_SERVERS.get(self._base.host)
        return known is not None and origin_of(url) == origin_of(httpx.URL(known))

    def _refusal(self, check: str, remedy: str) -> RegistryError:
        return RegistryError(subject=self._place.name, check=check, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Challenge:
    """As much of an answer as oras looks at."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    """The same for the answer of a token server."""

    document: dict[str, str]
    status_code: int = 200

    def json(self) -> dict[str, str]:
        return self.document


class _TokenServer:
    """Stands where oras has the session of `requests`."""

    def __init__(self, base: httpx.URL, wire: Transport, patience: Deadline, *, subject: str) -> None:
        self._base = base
        self._wire = wire
        self._patience = patience
        self._subject = subject

    def judged(self, realm: str) -> httpx.URL:
        """The address that a challenge names. Raises RegistryError if nobody may be sent there."""
        try:
            url = httpx.URL(realm)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._refused("something", "which is no address") from error
        fault = redirect_refusal(self._base, url, began_here=self._wire.began_here)
        if fault is not None:
            raise self._refused(quoted_origin(url), fault)
        return url

    def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, params: Mapping[str, str], verify: object
    ) -> _Token:
        """What oras asks for when it has credentials."""
        del verify  # the wire knows whom to trust
        address = httpx.URL(url).copy_merge_params(params)
        request = httpx.Request("GET", address, headers={**(headers or {}), "Accept-Encoding": "identity"})
        subject = f"{self._subject}, token server {quoted(address.host)}"
        answer = with_retries(partial(self._wire.send, request), self._patience, subject=subject)
        with closing(answer):
            require_status(answer, 200, subject=subject)
            return _token_in(body_of(answer, max_bytes=_MAX_TOKEN_BYTES, subject=subject), subject)

    def request(self, method: str, url: str, *, params: Mapping[str, str], verify: object) -> _Token:
        """What oras asks for without any."""
        del method  # GET
        return self.get(url, params=params, verify=verify)

    def _refused(self, where: str, fault: str) -> RegistryError:
        return RegistryError(
            subject=self._subject,
            check=f"it sends us to {where} for a token, {fault}",
            remedy="do not use it: no honest registry does that",
        )


def _token_in(content: bytes, subject: str) -> _Token:
    try:
        value = read_json(content, subject=subject)
    except (DigestMismatch, LimitExceeded):
        value = None
    tokens = [value.get(key) for key in ("token", "access_token")] if isinstance(value, dict) else []
    for token in tokens:
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return _Token({"token": token})
    raise RegistryError(subject=subject, check="its answer holds no token", remedy="try again, or ask who runs it")
