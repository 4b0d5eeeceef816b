"""Foreign text in messages: quote it, escape what is not shown, redact secrets, and suggest the word that was meant.

The table of characters that are not shown is here once; who refuses which of them is decided where they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

# -- characters that are not shown: each constant goes inside the brackets of a regular expression ---------------------

CONTROLS = "\x00-\x1f\x7f-\x9f"
LINE_SEPARATORS = "\u2028\u2029"
"""YAML 1.1, JavaScript and some editors break lines at them."""

BIDI_CONTROLS = "\u202a-\u202e\u2066-\u2069"
"""Embeddings, overrides and isolates: they show a reviewer another text ("Trojan Source", CVE-2021-42574)."""

BIDI_MARKS = "\u061c\u200e\u200f"
ZERO_WIDTH = "\u200b-\u200d\u2060-\u2064\ufeff"
VARIATION_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
TAGS = "\U000e0000-\U000e007f"
FILLERS = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2065\u206a-\u206f\u3164\uffa0\U000e0000-\U000e0fff"
"""Soft hyphen, joiners, fillers of Korean and Khmer, deprecated format characters, and the plane that has the tags."""

SURROGATES = "\ud800-\udfff"
NONCHARACTERS = "\ufffe\uffff"

SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Spaces of every other width (category Zs): shown, but not to be told from a plain one."""

# -- foreign text in messages ------------------------------------------------------------------------------------------

_MAX_QUOTED = 200
_MAX_COMPARED = 64


def quoted(text: object, *, longest: int = _MAX_QUOTED) -> str:
    """Return the text in double quotes, as a message names a path or a word that it did not choose."""
    plain = text if isinstance(text, str) else repr(text)
    return '"' + printable_line(plain, longest=longest, keep="").replace('"', escape_character('"')) + '"'


def printable(text: str, *, keep: str = "\t\n" + SPACES) -> str:
    r"""Return the text with every character that a terminal would act upon, or not show, as \xNN, \uNNNN or \UNNNNNNNN.

    Escaped are control characters but tab and line feed (ESC can rename a window or answer for the user), bidirectional
    and other invisible ones (CVE-2021-42574), surrogates, and what is in no alphabet.
    """
    hidden = {each for each in set(text) if not each.isprintable() and each not in keep}
    return text.translate({ord(each): escape_character(each) for each in hidden}) if hidden else text


def printable_line(text: str, *, longest: int | None = None, keep: str = SPACES) -> str:
    """Return the same on one line, cut where it is longer than `longest` characters."""
    return printable(text if longest is None or len(text) <= longest else text[:longest] + "...", keep=keep)


def escape_character(character: str) -> str:
    r"""Return the character as \xNN, \uNNNN or \UNNNNNNNN, which YAML understands in double quotes."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` is most likely a slip for, upper and lower case aside; None if none is near.

    Where none is, the only candidate that begins with the word is returned: `qa` is short for `qa-skills`.

    Of two that are equally near, the first in alphabetical order is returned. A word over 64 characters is no slip:
    comparing takes quadratic time.
    """
    from difflib import SequenceMatcher

    if len(word) > _MAX_COMPARED:
        return None
    matcher = SequenceMatcher(b=word.casefold(), autojunk=False)
    best, nearest = 0.6, None
    compared = sorted(each for each in candidates if len(each) <= _MAX_COMPARED)
    for candidate in compared:
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, nearest = ratio, candidate
    begun = [each for each in compared if len(word) > 1 and each.casefold().startswith(word.casefold())]
    return begun[0] if nearest is None and len(begun) == 1 else nearest


# -- redaction: the only form in which an address enters a lock, a message or a log ----------------------------------

REDACTED = "***"

_Mask = Callable[[str], str]

_SENSITIVE_KEY = (
    r"token|secret|passw|passphrase|signature|credential|authorization|jwt|hmac|session"
    r"|(?:api|access|private|subscription|account|shared)[-_.]?key"
    r"|(?:^|[^a-z])(?:auth|bearer|key|otp|pass|pwd|sas|sid|sig|sign)(?:$|[^a-z])"
    r"|^x-(?:amz|goog)-"
)
# People put tokens where the user name goes. Forges begin theirs like this; the last is one that nobody is called.
_LOGIN_PATTERN = (
    r"(?<![A-Za-z0-9])(?:gh[opsur]_|github_pat_|glpat-|gldt-|glcbt-|ATBB|ATCTT|ATATT|BBDC-"
    r"|(?=[A-Za-z]*\d)[A-Za-z0-9]{32})[^:@]*"
)


def redact_address(address: str) -> str:
    """Return `address` with `***` for a password, a token as user name, and the values of query keys that look like
    secrets.

    Anything else is returned as it is.
    """
    return _redact(address, lambda _: REDACTED, end="")


def redact(text: str) -> str:
    """Return any text, such as a line of a file, with the addresses in it redacted."""
    return _redact(text, lambda _: REDACTED, end=_BLANK)


def redact_in_place(text: str) -> str:
    """Return the same with one star for each character, so that columns stay true."""
    return _redact(text, lambda secret: "*" * len(secret), end=_BLANK)


def holds_credential(address: str) -> bool:
    """Return whether a password, or a token in place of the user name, is in the address."""
    return _redact_login(address, lambda _: "", end=_BLANK) != address


class _Patterns(NamedTuple):
    """Patterns, not a parser: an address that no parser takes is quoted in an error as well.

    Each consumes what it has looked at, or text could be made that takes quadratic time.
    """

    pair: re.Pattern[str]
    authority: re.Pattern[str]
    password: re.Pattern[str]
    token: re.Pattern[str]


_BLANK = r"\s"


@cache
def _patterns(end: str) -> _Patterns:
    """Return the patterns for addresses that end before a character of the class `end`."""
    return _Patterns(
        pair=re.compile(rf"(?<=[?&;#])([^=&;#{end}]+)(?:=([^&;#{end}]*))?"),
        # At the beginning of a word because of user:password@host:path, which git takes as well.
        authority=re.compile(rf"(?:(?<=//)|(?<![^\s'\"(\[{{,=]))[^/?#{end}]+"),
        # A password that should have its `/`, `?` or `#` encoded: what follows the colon is no port.
        password=re.compile(rf"(?<=//)([^/?#:@\[{end}]*):(?!\d{{0,5}}(?:\Z|[/?#\s'\"]))([^@{end}]+)(@?)"),
        token=re.compile(_LOGIN_PATTERN),
    )


def _redact(text: str, mask: _Mask, *, end: str) -> str:
    plain = _patterns(end).pair.sub(lambda found: _redact_pair(found, mask), text)
    return _redact_login(plain, mask, end=end)


def _redact_login(text: str, mask: _Mask, *, end: str) -> str:
    plain = _patterns(end).authority.sub(lambda found: _redact_authority(found[0], mask), text)
    return _patterns(end).password.sub(lambda found: _redact_password(found, mask), plain)


def _redact_pair(pair: re.Match[str], mask: _Mask) -> str:
    """Return one key and value of a query, the value masked if the key says that it is a secret."""
    from urllib.parse import unquote  # 3 ms that most runs do not need

    key, value = pair.groups()
    # A server reads the key percent-decoded, and so may whoever finds it in a log.
    if not value or re.search(_SENSITIVE_KEY, unquote(key), re.IGNORECASE) is None:
        return pair[0]
    secret = value.rstrip("'\"],})")  # what closes the address, not what is part of it
    return f"{key}={mask(secret)}{value[len(secret) :]}"


def _redact_authority(authority: str, mask: _Mask) -> str:
    login, at, host = authority.rpartition("@")
    if host.startswith("sha256:"):
        return authority  # an image: name:tag@digest
    user, colon, password = _patterns(_BLANK).token.sub(lambda token: mask(token[0]), login).partition(":")
    if password and "@" not in user:  # in git@host:path@x the colon parts host and path
        password = mask(password)
    return f"{user}{colon}{password}{at}{host}"


def _redact_password(found: re.Match[str], mask: _Mask) -> str:
    user, password, at = found.groups()
    return f"{user}:{mask(password)}@" if at else found[0]
