"""Addresses with what looks like a secret taken out: the only form in which one enters a lock, a message or a log."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote

REDACTED = "***"

_Mask = Callable[[str], str]

_SECRET_KEY = re.compile(
    r"token|secret|passw|passphrase|signature|credential|authorization|jwt|hmac|session"
    r"|(?:api|access|private|subscription|account|shared)[-_.]?key"
    r"|(?:^|[^a-z])(?:auth|bearer|key|otp|pass|pwd|sas|sid|sig|sign)(?:$|[^a-z])"
    r"|^x-(?:amz|goog)-",
    re.IGNORECASE,
)
# People put tokens where the user name goes. Forges begin theirs like this; the last is one that nobody is called.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[opsur]_|github_pat_|glpat-|gldt-|glcbt-|ATBB|ATCTT|ATATT|BBDC-"
    r"|(?=[A-Za-z]*\d)[A-Za-z0-9]{32})[^:@]*"
)


def redact_address(address: str) -> str:
    """`address` with `***` for a password, a token as user name, and the values of query keys that look like secrets.

    Anything else comes back as it is.
    """
    return _redact(address, lambda _: REDACTED, end="")


def redact(text: str) -> str:
    """The same for any text, such as a line of a file, that may have addresses in it."""
    return _redact(text, lambda _: REDACTED, end=_BLANK)


def redact_in_place(text: str) -> str:
    """The same with one star for each character, so that columns stay true."""
    return _redact(text, lambda secret: "*" * len(secret), end=_BLANK)


def holds_credential(address: str) -> bool:
    """Whether a password, or a token in place of the user name, stands in the address."""
    return _redact_login(address, lambda _: "", end=_BLANK) != address


class _Patterns(NamedTuple):
    """Patterns, not a parser: an address that no parser takes is quoted in an error as well.

    Each consumes what it has looked at, or text could be made that takes quadratic time.
    """

    pair: re.Pattern[str]
    authority: re.Pattern[str]
    password: re.Pattern[str]


_BLANK = r"\s"


@cache
def _patterns(end: str) -> _Patterns:
    """For addresses that end before a character of the class `end`."""
    return _Patterns(
        pair=re.compile(rf"(?<=[?&;#])([^=&;#{end}]+)(?:=([^&;#{end}]*))?"),
        # At the beginning of a word because of user:password@host:path, which git takes as well.
        authority=re.compile(rf"(?:(?<=//)|(?<![^\s'\"(\[{{,=]))[^/?#{end}]+"),
        # A password that should have its `/`, `?` or `#` encoded: what follows the colon is no port.
        password=re.compile(rf"(?<=//)([^/?#:@\[{end}]*):(?!\d{{0,5}}(?:\Z|[/?#\s'\"]))([^@{end}]+)(@?)"),
    )


def _redact(text: str, mask: _Mask, *, end: str) -> str:
    plain = _patterns(end).pair.sub(lambda found: _redact_pair(found, mask), text)
    return _redact_login(plain, mask, end=end)


def _redact_login(text: str, mask: _Mask, *, end: str) -> str:
    plain = _patterns(end).authority.sub(lambda found: _redact_authority(found[0], mask), text)
    return _patterns(end).password.sub(lambda found: _redact_password(found, mask), plain)


def _redact_pair(pair: re.Match[str], mask: _Mask) -> str:
    """A server reads the key percent-decoded, and so may whoever finds it in a log."""
    key, value = pair.groups()
    if not value or _SECRET_KEY.search(unquote(key)) is None:
        return pair[0]
    secret = value.rstrip("'\"],})")  # what closes the address, not what is part of it
    return f"{key}={mask(secret)}{value[len(secret) :]}"


def _redact_authority(authority: str, mask: _Mask) -> str:
    login, at, host = authority.rpartition("@")
    if host.startswith("sha256:"):
        return authority  # an image: name:tag@digest
    user, colon, password = _TOKEN.sub(lambda token: mask(token[0]), login).partition(":")
    if password and "@" not in user:  # in git@host:path@x the colon parts host and path
        password = mask(password)
    return f"{user}{colon}{password}{at}{host}"


def _redact_password(found: re.Match[str], mask: _Mask) -> str:
    user, password, at = found.groups()
    return f"{user}:{mask(password)}@" if at else found[0]
