"""The errors of artifacts, registries and signatures, and the base of every error that is raised on purpose.

One error states three facts: what it is about (`subject`), which check failed (`check`) and what to do (`remedy`). Its
class says which family it belongs to: `exit_code` is what the command line ends with, `rule` the name that programs and
people look it up by. `agent_sync.errors` adds the families of configuration, lock and work, and draws the whole tree.
"""

from __future__ import annotations

from typing import Self

from agent_sync_oci.records import record


@record
class Place:
    """A position in a text file: 1-based line and column, and the text of that line for the excerpt."""

    file: str
    line: int
    column: int
    text: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class AgentSyncError(Exception):
    """The root of every error that is raised on purpose."""

    exit_code: int = 70
    rule: str = "error"
    default_remedy: str | None = None
    """What to do where the error itself does not say so."""

    part: tuple[str | int, ...] = ()
    """The path inside its declaration of what is wrong, such as `("ref",)`: where a place in the file is looked up."""

    def __init__(
        self,
        *,
        subject: str,
        check: str,
        remedy: str | None = None,
        place: Place | None = None,
        part: tuple[str | int, ...] = (),
    ) -> None:
        # Late: an error is rare, and the patterns are many.
        from agent_sync_oci.text import redact

        # Servers, files and libraries put addresses into their texts: no password of one gets into a message.
        self.subject = redact(subject)
        self.check = redact(check)
        self.remedy = remedy or self.default_remedy
        self.place = place
        self.part = part
        super().__init__(f"{self.subject}: {self.check}")

    def restated(
        self,
        *,
        subject: str | None = None,
        check: str | None = None,
        remedy: str | None = None,
        place: Place | None = None,
        part: tuple[str | int, ...] | None = None,
    ) -> Self:
        """Return an error of the same kind with these facts in place of its own, to raise from this one."""
        from agent_sync_oci.text import redact

        again = self.__class__.__new__(self.__class__)
        again.__dict__.update(self.__dict__)
        again.subject = self.subject if subject is None else redact(subject)
        again.check = self.check if check is None else redact(check)
        again.remedy = self.remedy if remedy is None else remedy
        again.place = self.place if place is None else place
        again.part = self.part if part is None else part
        again.args = (f"{again.subject}: {again.check}",)
        return again


# -- usage -----------------------------------------------------------------------------------------------------------


class UsageError(AgentSyncError):
    """The command line or a call is invalid; for example, it names a source that is not declared."""

    exit_code = 2
    rule = "usage"


class InvalidReference(UsageError):
    """A reference does not follow the syntax of references."""

    default_remedy = "write HOST/REPOSITORY[:TAG][@DIGEST], oci-archive:FILE[:TAG], or oci:DIR[:TAG]"


class UnusableKey(UsageError):
    """A key or token cannot sign: malformed, expired, or encrypted with another pass phrase."""

    default_remedy = "use another key or token"


class WrongPassPhrase(UnusableKey):
    """The pass phrase does not decrypt the private key."""

    default_remedy = "try again with the pass phrase that the key was made with"


# -- content ---------------------------------------------------------------------------------------------------------


class DigestMismatch(AgentSyncError):
    """Content does not have the expected digest, size, media type, or syntax."""

    exit_code = 5
    rule = "content-mismatch"
    default_remedy = "fetch it from another registry, or have it pushed again"


class Untrusted(AgentSyncError):
    """A signature is missing or invalid, or a policy forbids the operation."""

    exit_code = 6
    rule = "untrusted"


class InvalidSignature(Untrusted):
    """A signature does not prove what is required."""

    default_remedy = "have it signed by a signer that you trust"


# -- the network and the file system ---------------------------------------------------------------------------------


class NetworkError(AgentSyncError):
    """A server could not be reached, refused the login, or sent an invalid response."""

    exit_code = 8
    rule = "network"


class RegistryError(NetworkError):
    """A registry could not be reached, refused the login, or sent an invalid response."""

    default_remedy = "try again later, or ask the operator of the registry"


class NotFound(RegistryError):
    """A registry, layout, or archive was reached but does not have the requested content."""

    rule = "not-there"
    default_remedy = "check the reference, its tag and its digest, and that the artifact was pushed there"


class SigningServiceError(NetworkError):
    """A service for certificates, transparency logs, or time stamps refused the request or sent an invalid response."""

    default_remedy = "try again later, ask the operator of the service, or sign with a key"


class LimitExceeded(AgentSyncError):
    """Something is larger, deeper, longer, or slower than allowed."""

    exit_code = 13
    rule = "limit"
    default_remedy = "do not use this artifact"


class FileSystemError(AgentSyncError):
    """The file system refused an operation: permissions, space, a read-only file system, or an I/O error."""

    exit_code = 17
    rule = "file-system"
    default_remedy = "name another directory or file"
