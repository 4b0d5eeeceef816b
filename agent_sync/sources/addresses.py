"""Take addresses of repositories and files apart: protocols, what git must not be given, and allow-lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from agent_sync.tree.names import Globs
from agent_sync_oci.text import CONTROLS, LINE_SEPARATORS

Protocol = Literal["https", "ssh", "git", "http", "file"]
PROTOCOLS: tuple[Protocol, ...] = ("https", "ssh", "git", "http", "file")

# Texts, which `re` compiles at their first use: most addresses are matched by one or two of them.
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_REMOTE_HELPER = r"[A-Za-z0-9+.-]*::"  # such as ext::, which runs a command
_URL = (
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?#@\\]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^/?#@:\[\]\\%\s]*)(?::(?P<port>\d{1,5}))?(?P<rest>/.*)?"
)
_SCP = r"(?:(?P<user>[^/@:\\]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/@:\\\s]{2,}):(?P<path>[^:].*)"
_DEFAULT_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}
_UP = r"(?i:(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$))"
_UNSEEN = f"[{CONTROLS}{LINE_SEPARATORS}]"


def protocol_of(address: str) -> Protocol | None:
    """Return how git would reach it: a plain path is `file`, `git@host:path` is `ssh`; None for any other way."""
    if (scheme := re.match(_SCHEME, address)) is not None:
        return next((each for each in PROTOCOLS if each == scheme[1].lower()), None)
    if re.match(_REMOTE_HELPER, address):
        return None
    return "ssh" if re.fullmatch(_SCP, address) else "file"


def repository_problem(address: str) -> str | None:
    """Return why git must not be given this address, credentials aside; None if it may be."""
    if re.search(_UNSEEN, address):
        return "holds a character that is not shown"
    if address.startswith("-"):
        return "begins with a dash, which git would take for an option"
    protocol = protocol_of(address)
    if protocol is None:
        return f"has none of the protocols {', '.join(PROTOCOLS)}"
    if "://" in address:
        return _parts_problem(address, with_host=protocol != "file")
    if protocol == "ssh":
        return _scp_problem(address)
    return None


def url_problem(address: str) -> str | None:
    """Return why a file cannot be fetched from this address, credentials aside; None if it can."""
    if re.search(_UNSEEN, address) or " " in address:
        return "holds a space or a character that is not shown"
    before_query = re.split(r"[?#]", address, maxsplit=1)[0]
    if protocol_of(before_query) not in ("https", "http") or "://" not in before_query:
        return "is not an https:// or http:// address"
    return _parts_problem(before_query, with_host=True)


def in_allow_list(address: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the globs matches the whole repository address. `*` stays within one part between slashes.

    Scheme and host are compared in lower case, a default port does not count, `git@host:path` is `ssh://git@host/path`,
    and a pattern without a user name matches whichever user. An address with `..` in it is in no list: it may lead
    anywhere.
    """
    plain = _normalized(address)
    if re.search(_UP, plain):
        return False
    globs = Globs(_normalized(pattern) for pattern in patterns)
    return plain in globs or re.sub(r"(?<=://)[^/@]*@", "", plain) in globs


def _normalized(address: str) -> str:
    if "://" not in address and (scp := re.fullmatch(_SCP, address)) is not None:
        user = f"{scp['user']}@" if scp["user"] else ""
        return f"ssh://{user}{scp['host'].lower()}/{scp['path'].lstrip('/')}"
    url = re.fullmatch(_URL, address)
    if url is None:
        return address
    scheme = url["scheme"].lower()
    user = f"{url['user']}@" if url["user"] else ""
    port = f":{url['port']}" if url["port"] and url["port"] != _DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme}://{user}{url['host'].lower()}{port}{url['rest'] or ''}"


def _parts_problem(address: str, *, with_host: bool) -> str | None:
    url = re.fullmatch(_URL, address)
    if url is None or (with_host and not url["host"]):
        return "is not an address that can be taken apart into scheme, host and path"
    if url["host"].startswith("-") or (url["user"] or "").startswith("-"):
        return "has a host or user that begins with a dash, which ssh would take for an option"
    return None


def _scp_problem(address: str) -> str | None:
    scp = re.fullmatch(_SCP, address)
    if scp is not None and any((scp[part] or "").startswith("-") for part in ("user", "host", "path")):
        return "has a host, user or path that begins with a dash, which ssh would take for an option"
    return None
