"""Addresses with what looks like a secret taken out: the only form in which one enters a lock, a message or a log."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
# Patterns, not a parser: an address that no parser takes is quoted in an error as well.
_PASSWORD = re.compile(r"(?<=//)([^/?#:@]*):[^/?#]*(?=@)")
_PAIR = re.compile(r"(?<=[?&;#])([^=&;#]+)=([^&;#]*)")
_SECRET_KEY = re.compile(
    r"token|secret|passw|passphrase|signature|credential|authorization|jwt|hmac|session"
    r"|(?:api|access|private|subscription|account|shared)[-_.]?key"
    r"|(?:^|[^a-z])(?:auth|bearer|key|otp|pass|pwd|sas|sid|sig|sign)(?:$|[^a-z])"
    r"|^x-(?:amz|goog)-",
    re.IGNORECASE,
)


def redacted(address: str) -> str:
    """`address` without password and with the values of query keys that look like secrets replaced by `***`.

    Anything else comes back as it is.
    """
    return _PAIR.sub(_without_secret, _PASSWORD.sub(rf"\1:{HIDDEN}", address))


def _without_secret(pair: re.Match[str]) -> str:
    """A server reads the key percent-decoded, and so may whoever finds it in a log."""
    return f"{pair[1]}={HIDDEN}" if _SECRET_KEY.search(unquote(pair[1])) else pair[0]
