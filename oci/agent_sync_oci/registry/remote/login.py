"""Log in: oras answers the registry's challenges, and its requests go over `HttpClient`.

oras trusts what it reads: it would send the password to whatever address a registry names, take `Basic realm="x"` for
the address of a token server, and follow redirects. So it is told beforehand whose credentials may go where, and gets a
session of requests whose adapter sends nothing anywhere else.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial

import httpx
import requests
from oras.auth import get_auth_backend  # type: ignore[import-untyped]
from oras.auth.utils import parse_auth_header  # type: ignore[import-untyped]

from agent_sync_oci.errors import DigestMismatch, LimitExceeded, RegistryError
from agent_sync_oci.http.addresses import origin_of
from agent_sync_oci.http.client import HttpClient
from agent_sync_oci.http.network import Network
from agent_sync_oci.http.retry import Deadline, with_retries
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.remote.client import body_of, require_status
from agent_sync_oci.registry.remote.credentials import DockerCredentials
from agent_sync_oci.strict_json import read_json
from agent_sync_oci.text import quoted

_MAX_TOKEN_BYTES = 1 << 20
_TOKEN = re.compile(r"[!-~]+")  # what may stand in a header
_RENEWALS = 2  # one because the token is too old or too narrow, one because another thread got a narrower one
_TOKEN_SERVERS = {"registry-1.docker.io": "https://auth.docker.io"}  # Docker Hub logs in elsewhere, and says so
_HEADERS = ("Authorization", "Accept", "Service", "User-Agent")  # of what oras sends
_REFERS = "the registry refers"

Send = Callable[[httpx.Request], httpx.Response]


class Authenticator:
    """Sends requests to one repository with the authorization that its registry asks for.

    Reading and writing have a login each, since a token is for one of them.
    """

    def __init__(
        self, reference: RegistryReference, client: HttpClient, send: Send, network: Network, deadline: Deadline
    ) -> None:
        self._send = send
        credentials = DockerCredentials(network)
        tokens = _TokenServers(client, send, deadline, subject=reference.name)
        self._reading, self._writing = (_Login(reference, client, credentials, tokens) for _ in range(2))

    def send(self, method: str, build: Callable[[str | None], httpx.Request]) -> httpx.Response:
        """Return the response, logged in as the registry asks for; 401 if that did not help.

        `build` makes the request with the `Authorization` header that it is given.
        """
        login = self._login(method)
        for _ in range(_RENEWALS):
            used = login.authorization
            response = self._send(build(used))
            if response.status_code != 401:
                return response
            response.close()
            self.answer(response, method, refused=used)
        return self._send(build(login.authorization))

    def answer(self, challenge: httpx.Response, method: str, *, refused: str | None) -> None:
        """Log in anew for requests of this kind, other than with what was `refused`. Raises RegistryError."""
        self._login(method).renew(challenge, refused=refused)

    def _login(self, method: str) -> _Login:
        return self._reading if method in ("GET", "HEAD") else self._writing


class _Login:
    """`authorization` is the header that the last challenge has led to, None before the first."""

    def __init__(
        self, reference: RegistryReference, client: HttpClient, credentials: DockerCredentials, tokens: _TokenServers
    ) -> None:
        self.authorization: str | None = None
        self._reference = reference
        self._client = client
        self._credentials = credentials
        self._tokens = tokens
        self._renewing = threading.Lock()

    def renew(self, response: httpx.Response, *, refused: str | None) -> None:
        with self._renewing:
            if self.authorization != refused:
                return  # another thread has been here
            challenges = {line.split(" ")[0].lower(): line for line in response.headers.get_list("www-authenticate")}
            if "bearer" in challenges:
                challenge = challenges["bearer"]
                server = self._client.allowed(parse_auth_header(challenge).realm or "", what=_REFERS)
                self.authorization = f"Bearer {self._tokens.token(challenge, server, self._password_for(server))}"
            elif "basic" in challenges:
                self.authorization = self._password(refused)
            else:
                raise self._refusal(
                    "the registry asks for a login of a kind that is not known here", "ask its operator"
                )

    def _password(self, refused: str | None) -> str:
        host = self._reference.host
        found = self._credentials.of(host)
        if found is None:
            raise self._refusal("the registry asks for a login, and there is none for it", f"docker login {host}")
        if refused == f"Basic {found}":
            raise self._refusal("authentication failed: the registry does not accept the login", f"docker login {host}")
        return f"Basic {found}"

    def _password_for(self, server: httpx.URL) -> str | None:
        """Return the registry's password for the registry itself; another token server's if the user names one."""
        own = self._credentials.of(self._reference.host)
        if self._client.is_origin(server) or self._is_known_token_server(server):
            return own
        host = server.netloc.decode("ascii")
        if self._credentials.names(host):
            return self._credentials.of(host)
        if own is not None:
            raise self._refusal(
                f"the registry refers to {quoted(host)} for a token, and the login is for {self._reference.host} alone",
                f"if {quoted(host)} may see a password, give it one under `auths` in the docker configuration",
            )
        return None

    def _is_known_token_server(self, server: httpx.URL) -> bool:
        known = _TOKEN_SERVERS.get(self._client.base.host)
        return known is not None and origin_of(server) == origin_of(httpx.URL(known))

    def _refusal(self, check: str, remedy: str) -> RegistryError:
        return RegistryError(subject=self._reference.name, check=check, remedy=remedy)


class _TokenServers:
    """Where oras gets tokens, over the client of the registry."""

    def __init__(self, client: HttpClient, send: Send, deadline: Deadline, *, subject: str) -> None:
        self._client = client
        self._send = send
        self._deadline = deadline
        self._subject = subject

    def token(self, challenge: str, server: httpx.URL, password: str | None) -> str:
        """Return the token that answers this challenge (`password`: user and password in base64)."""
        asked = requests.Response()
        asked.status_code = 401
        asked.headers["Www-Authenticate"] = challenge
        with requests.Session() as session:
            session.trust_env = False
            for scheme in ("http://", "https://"):
                session.mount(scheme, _TokenAdapter(partial(self._fetch, server)))
            backend = get_auth_backend("token", session=session, insecure=self._client.base.scheme == "http")
            if password is not None:
                backend._basic_auth = password  # as `load_configs` of oras does
            try:
                backend.authenticate_request(asked, {})
            except requests.RequestException as error:
                raise RegistryError(
                    subject=self._subject, check=f"{_REFERS} to something, which is not an address"
                ) from error
        return str(backend.token)

    def _fetch(self, server: httpx.URL, request: requests.PreparedRequest) -> str:
        """Send what oras wants to send, and return the token in the response. Raises RegistryError."""
        # oras and requests have parsed the address by themselves: it is judged again as what they made of it.
        url = self._client.allowed(request.url or "", what=_REFERS)
        subject = f"{self._subject}, token server {quoted(url.host)}"
        if origin_of(url) != origin_of(server):
            raise RegistryError(subject=subject, check="the address of the token server is ambiguous")
        headers = {name: str(request.headers[name]) for name in _HEADERS if name in request.headers}
        translated = httpx.Request("GET", url, headers={**headers, "Accept-Encoding": "identity"})
        with closing(
            with_retries(partial(self._send, translated), self._deadline, subject=subject, error=RegistryError)
        ) as response:
            require_status(response, 200, subject=subject)
            return _token_in(body_of(response, max_bytes=_MAX_TOKEN_BYTES, subject=subject), subject)


class _TokenAdapter(requests.adapters.BaseAdapter):
    """The transport of a session of requests: `fetch` sends, and nothing but its token comes back."""

    def __init__(self, fetch: Callable[[requests.PreparedRequest], str]) -> None:
        super().__init__()
        self._fetch = fetch

    def send(self, request: requests.PreparedRequest, *_args: object, **_options: object) -> requests.Response:
        """Return a response that has the token, whatever else its server says."""
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = request.url or ""
        response.raw = io.BytesIO(json.dumps({"token": self._fetch(request)}).encode())
        return response

    def close(self) -> None:
        """Do nothing: the client that sends the requests owns the connections."""


def _token_in(content: bytes, subject: str) -> str:
    try:
        value = read_json(content, subject=subject)
    except (DigestMismatch, LimitExceeded):
        value = None
    tokens = [value.get(key) for key in ("token", "access_token")] if isinstance(value, dict) else []
    for token in tokens:
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    raise RegistryError(
        subject=subject, check="the response has no token", remedy="try again, or ask the operator of the registry"
    )
