"""Bearer tokens before an answer of the tests' own: as many as are wanted, each good for as long as a test says."""

from __future__ import annotations

import base64
import itertools
import json
from urllib.parse import parse_qs

from tests.real.answers import a_status
from tests.real.http_server import Answer, Reply, Request


class TokenLogin:
    """Stands before `answer`. A token is good for `uses` requests and for the scope that it was asked for.

    `realm` is where tokens are had, by default from this server itself. `given` has what came with each wish for one.
    """

    def __init__(
        self, answer: Answer, *, user: str, password: str, uses: int = 10**9, realm: str | None = None
    ) -> None:
        self.given: list[str | None] = []
        self.scopes: list[list[str]] = []
        self._answer = answer
        self._login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._uses = uses
        self._realm = realm
        self._good: dict[str, tuple[str, int]] = {}
        self._numbers = itertools.count()

    def answer(self, request: Request, reply: Reply) -> None:
        if request.path == "/token":
            self._give(request)(request, reply)
        elif self._is_good(request):
            self._answer(request, reply)
        else:
            realm = self._realm or f"http://{request.headers['host']}/token"
            challenge = f'Bearer realm="{realm}",service="tests",scope="{_scope_of(request)}"'
            a_status(401, headers={"WWW-Authenticate": challenge})(request, reply)

    def _give(self, request: Request) -> Answer:
        given = request.headers.get("authorization")
        self.given.append(given)
        scopes = parse_qs(request.query).get("scope", [])
        self.scopes.append(scopes)
        if given != self._login:
            return a_status(401)
        token = f"token-{next(self._numbers)}"
        self._good[f"Bearer {token}"] = (scopes[0], self._uses)
        return a_status(200, body=json.dumps({"access_token": token}).encode())

    def _is_good(self, request: Request) -> bool:
        scope, left = self._good.get(request.headers.get("authorization", ""), ("", 0))
        if not left or not set(_scope_of(request).split(" ")) <= set(scope.split(" ")):
            return False
        self._good[request.headers["authorization"]] = (scope, left - 1)
        return True


def _scope_of(request: Request) -> str:
    repository = request.path.removeprefix("/v2/").rsplit("/blobs/")[0].rsplit("/manifests/")[0].rsplit("/tags/")[0]
    scope = f"repository:{repository}:{'pull' if request.method in ('GET', 'HEAD') else 'pull,push'}"
    source = parse_qs(request.query).get("from")
    return scope if source is None else f"{scope} repository:{source[0]}:pull"
