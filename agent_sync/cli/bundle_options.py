"""What the commands of bundles take: references, names, and the options that say who signs."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.options import reject_conflicting
from agent_sync.cli.run import Session
from agent_sync.errors import UnusableKey, UsageError, WrongPassPhrase
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference, parse_reference
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.bundle.sign import Signing

PASS_PHRASE = "AGENT_SYNC_KEY_PASSWORD"  # noqa: S105  # the name of the variable
TOKEN = "SIGSTORE_ID_TOKEN"  # noqa: S105  # as above

_DIGEST_PREFIX = "sha256:"

REFERENCE_FORMS = "HOST/REPOSITORY[:TAG][@DIGEST], oci-archive:FILE[:TAG], or oci:DIR[:TAG]."

ReferenceArgument = Annotated[str, typer.Argument(metavar="REFERENCE", help=REFERENCE_FORMS)]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="The name that signatures are bound to.")]
PlainHttp = Annotated[bool, typer.Option("--plain-http", help="Use plain HTTP.")]
Key = Annotated[str | None, typer.Option("--key", metavar="FILE", help="Sign with this private key.")]
TrustConfig = Annotated[
    str | None,
    typer.Option(
        "--trust-config",
        metavar="FILE",
        help="Use the signing services of this file: keyless, or with --key for a log entry.",
    ),
]
IdentityToken = Annotated[
    str | None,
    typer.Option(
        "--identity-token",
        metavar="TOKEN",
        help="The identity that signs.  [default: SIGSTORE_ID_TOKEN, or the token of the CI]",
    ),
]


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """The options that say who signs."""

    key: str | None = None
    trust_config: str | None = None
    identity_token: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The flags that were given."""
        values = {"--key": self.key, "--trust-config": self.trust_config, "--identity-token": self.identity_token}
        return tuple(flag for flag, value in values.items() if value)


def reference_of(text: str, session: Session) -> Reference:
    """Return the reference; a path in it is relative to the current directory. Raises UsageError."""
    from agent_sync.bundle.names import map_path, resolve_relative

    return map_path(resolve_relative(session.directory, parse_reference(text)), _normalized)


def _normalized(path: str) -> str:
    """Return the path without `..`, where that names the same file: behind a link to a directory it may not."""
    short = posixpath.normpath(path)
    return short if os.path.realpath(short) == os.path.realpath(path) else path


def signing_of(options: SigningOptions, session: Session, *, offline: bool) -> Signing:
    """Return who signs.

    Raises: UsageError (nobody is named, `offline` forbids the services, or a file cannot be used), FileSystemError.
    """
    from agent_sync.bundle.sign import key_signing, keyless_signing

    reject_conflicting(key=bool(options.key), identity_token=bool(options.identity_token))
    config = None
    if options.trust_config:
        if offline:
            raise UsageError(
                subject="--trust-config",
                check="signing services cannot be reached with --offline",
                remedy="omit --offline, or sign with --key alone",
            )
        config = read_path_argument(options.trust_config, session, what="trust configuration")
    if options.key:
        key = read_path_argument(options.key, session, what="key")
        try:
            return key_signing(key, lambda: _pass_phrase(session), trust_config=config)
        except WrongPassPhrase as error:
            is_set = f" ({PASS_PHRASE} is set)" if PASS_PHRASE in session.environment else ""
            raise error.restated(subject=f"key {options.key}", check=f"wrong pass phrase{is_set}") from error
        except UnusableKey as error:
            raise error.restated(subject=f"key {options.key}") from error
    if config is not None:
        return keyless_signing(_token(options, session.environment), config)
    raise UsageError(
        subject="signing",
        check="neither a key nor an identity was given",
        remedy="give --key FILE, or --trust-config FILE with an identity token",
    )


def read_path_argument(path: str, session: Session, *, what: str) -> bytes:
    """Return the bytes of a file that argv names. Raises UsageError if it does not exist, FileSystemError."""
    from agent_sync.adapters.files import read_file

    content = read_file(posixpath.join(session.directory, path))
    if content is None:
        raise _no_such_file(path, what=what)
    return content


def sha256_of_artifact(text: str, session: Session) -> str:
    """Return the SHA-256 of an artifact in hex, from `sha256:HEX` or from a file, however large it is.

    Raises:
        UsageError: `text` is neither.
        FileSystemError: the file cannot be read.
    """
    from agent_sync.adapters.files import sha256_of_file

    if text.startswith(_DIGEST_PREFIX):
        return _hex_digits(text)
    sha256 = sha256_of_file(posixpath.join(session.directory, text))
    if sha256 is None:
        raise _no_such_file(text, what="file")
    return sha256


def _hex_digits(text: str) -> str:
    try:
        return Digest.parse(text).hex
    except ValueError as error:
        raise UsageError(
            subject=quoted(text),
            check="not a SHA-256 digest: 64 hexadecimal digits in lower case are expected",
            remedy=f"give the whole digest, or write ./{text} for a file of that name",
        ) from error


def new_pass_phrase(session: Session) -> bytes:
    """Return the pass phrase for a new key, which a person types twice. Raises UsageError."""
    given = _pass_phrase(session)
    if PASS_PHRASE not in session.environment and _bytes(session.ask_secret("repeat the pass phrase: ") or "") != given:
        raise UsageError(subject="pass phrase", check="the two entries differ", remedy="try again")
    return given


def _no_such_file(path: str, *, what: str) -> UsageError:
    return UsageError(
        subject=f"{what} {path}",
        check="no such file",
        remedy=f"list the directory: ls {shlex.quote(posixpath.dirname(path) or '.')}",
    )


def _pass_phrase(session: Session) -> bytes:
    given = session.environment.get(PASS_PHRASE)
    if given is None and (given := session.ask_secret("pass phrase for the key: ")) is None:
        raise UsageError(
            subject="pass phrase", check="not set, and no terminal to prompt on", remedy=f"set {PASS_PHRASE}"
        )
    return _bytes(given)


def _bytes(text: str) -> bytes:
    """Return the bytes as the environment or the keyboard had them, whatever their encoding."""
    return text.encode("utf-8", "surrogateescape")


def _token(options: SigningOptions, environment: Mapping[str, str]) -> str:
    from agent_sync_oci.signing.sign import ambient_token

    token = options.identity_token or environment.get(TOKEN) or ambient_token()
    if token is None:
        raise UsageError(
            subject="keyless signing",
            check="no identity token was given, and the environment provides none",
            remedy=f"give --identity-token, or set {TOKEN}",
        )
    return token
