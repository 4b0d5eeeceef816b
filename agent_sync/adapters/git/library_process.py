"""List refs or fetch by libgit2, as one order (JSON) on standard input says: the process that GitLibrary starts."""

from __future__ import annotations

import json
import netrc
import resource
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import ConfigLevel, CredentialType

_LEVELS = (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL)
_FAILED = 128
_MOST_MEMORY_BYTES = 2 << 30  # of addresses, most of which are the mapped pack


class Login(pygit2.RemoteCallbacks):
    """Log in with the ssh agent, or with the entry of ~/.netrc for the host; once: asking again changes nothing."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._machine = urlsplit(address).hostname
        self._tried = False

    def credentials(
        self,
        url: str,  # noqa: ARG002  # libgit2 gives it
        username_from_url: str | None,
        allowed_types: CredentialType,
    ) -> pygit2.Username | pygit2.UserPass | pygit2.KeypairFromAgent:
        """Return what libgit2 asks for. Raise GitError if there is nothing, or if it was tried."""
        if allowed_types & CredentialType.USERNAME:
            return pygit2.Username(username_from_url or "git")
        if not self._tried:
            self._tried = True
            if allowed_types & CredentialType.SSH_KEY:
                return pygit2.KeypairFromAgent(username_from_url or "git")
            known = self._from_netrc()
            if known is not None and allowed_types & CredentialType.USERPASS_PLAINTEXT:
                return known
        raise pygit2.GitError("authentication required, and no credentials are known here")

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:  # noqa: ARG002, FBT001
        """Return whether the server is who it should be; without this answer libgit2 lets every ssh server pass."""
        return valid

    def _from_netrc(self) -> pygit2.UserPass | None:
        try:
            entry = netrc.netrc().authenticators(self._machine or "")
        except (OSError, netrc.NetrcParseError):
            return None
        return None if entry is None else pygit2.UserPass(entry[0], entry[2] or "")


def main() -> int:
    """Return the exit code: 0, or 128 with libgit2's message on standard error."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    order = json.load(sys.stdin)
    for level in _LEVELS:
        pygit2.settings.search_path[level] = ""
    if order["certificates"]:
        pygit2.settings.ssl_cert_file = order["certificates"]
    try:
        _run(order["address"], order["repository"], order["refs"])
    except (pygit2.GitError, KeyError, ValueError, OSError, MemoryError) as error:
        sys.stderr.write(f"fatal: {error}\n")
        return _FAILED
    return 0


def _run(address: str, repository: str, refs: Sequence[str] | None) -> None:
    remote = pygit2.Repository(repository).remotes.create_anonymous(address)
    callbacks = Login(address)
    if refs is None:
        for head in remote.list_heads(callbacks=callbacks, proxy=True):
            sys.stdout.write(f"{head.oid}\t{head.name}\n")
    elif refs:
        specifications = [f"+{name}:refs/fetched/{number}" for number, name in enumerate(refs)]
        remote.fetch(specifications, callbacks=callbacks, proxy=True)


if __name__ == "__main__":
    raise SystemExit(main())
