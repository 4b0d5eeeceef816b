"""Every way in which an OCI artifact, or the place where it lies, can be refused; each is named for the fact.

One error carries three facts: what it is about (`subject`), which check failed (`check`) and what to do (`remedy`).
"""

from __future__ import annotations


class OciError(Exception):
    """The root of every error that this package raises on purpose."""

    def __init__(self, *, subject: str, check: str, remedy: str | None = None) -> None:
        self.subject = subject
        self.check = check
        self.remedy = remedy
        super().__init__(f"{subject}: {check}")


# -- what the caller gave us -----------------------------------------------------------------------------------------


class InvalidReference(OciError):
    """A reference is not spelt as references are."""


class UnusableKey(OciError):
    """What is to be signed with cannot be used: a malformed key, a wrong pass phrase, an expired token."""


# -- the place -------------------------------------------------------------------------------------------------------


class RegistryError(OciError):
    """A registry could not be reached, did not let us in, or answered with nonsense."""


class NotFound(RegistryError):
    """The place answered, and what was asked for is not there."""


class PlaceFault(OciError):
    """The file system refused, or what lies there is no layout or archive that may be used."""


# -- the services that sign without a key ----------------------------------------------------------------------------


class SigningServiceError(OciError):
    """A service that issues certificates, logs signatures or stamps the time refused, or answered with nonsense."""


# -- what lies there -------------------------------------------------------------------------------------------------


class ContentLies(OciError):
    """Bytes, media types, sizes or digests are not what they were said to be."""


class TooMuch(OciError):
    """Something is larger, deeper or more numerous than what is taken."""


class InvalidSignature(OciError):
    """A signature does not prove what was asked of it."""


def quoted(text: object, *, longest: int = 200) -> str:
    """Foreign text fit for a message: quoted, what a terminal would act upon escaped, what is long cut."""
    spelt = text if isinstance(text, str) else repr(text)
    return repr(spelt if len(spelt) <= longest else spelt[:longest] + "...")
