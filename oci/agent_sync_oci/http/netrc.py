"""netrc: a host's user name and password, for the origin that was asked for and for none that it redirects to."""

from __future__ import annotations

import netrc
import posixpath
from base64 import b64encode
from collections.abc import Mapping

import httpx

from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.text import quoted


def netrc_authorization(url: httpx.URL, environment: Mapping[str, str]) -> str | None:
    """Return the `Authorization` header for this address; None if netrc has no entry for its host.

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
