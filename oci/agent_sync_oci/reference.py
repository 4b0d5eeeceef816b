"""References to artifacts: a repository of a registry, or an image layout on this machine.

    registry.example.com/team/agents:v1@sha256:...    a repository of a registry
    oci:DIR:v1                                        an image layout in a directory
    oci-archive:FILE:v1                               the same in one tar file

Tag and digest are optional. No host and no tag is ever assumed. Source: distribution/reference, reference.go;
distribution spec 1.1, "Pulling manifests".
"""

from __future__ import annotations

import ipaddress
import re
from typing import NoReturn

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import InvalidReference
from agent_sync_oci.records import record
from agent_sync_oci.text import printable, quoted

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?P<name>{_LABEL}(?:\.{_LABEL})*|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_HOST_LENGTH = 253  # RFC 1035 §2.3.4
_MAX_REPOSITORY_LENGTH = 255
# `user:password@` before a host, and not the `@` of a digest.
_CREDENTIALS = re.compile(r"(?<![^/])[^/]*@(?!sha[0-9]+:)")
_DIGEST = re.compile(r"(?P<before>.*)@(?P<digest>sha[0-9]+:.*)")

_TAG_OR_DIGEST = re.compile(r"(:[^/:@]*)?(@[^/]*)?\Z")

LAYOUT = "oci:"
ARCHIVE = "oci-archive:"


@record
class RegistryReference:
    """A repository of a registry; `host` in lower case, with its port if one was given."""

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.name + _suffix(self.tag, self.digest)

    @property
    def name(self) -> str:
        """The repository without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def wanted(self) -> Digest | str | None:
        """The argument of `Registry.manifest`: the digest if there is one, else the tag."""
        return self.digest or self.tag

    @property
    def address(self) -> str:
        """The repository as a URL: plain HTTP for a registry on this machine."""
        return f"{'http' if self.is_loopback else 'https'}://{self.name}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        name = _HOST.fullmatch(self.host)
        host = "" if name is None else name["ipv6"] or name["name"]
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


@record
class LayoutReference:
    """An image layout in a directory."""

    directory: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.name + _suffix(self.tag, self.digest)

    @property
    def name(self) -> str:
        """The layout without tag and digest."""
        return LAYOUT + self.directory

    @property
    def wanted(self) -> Digest | str | None:
        """The argument of `Registry.manifest`: the digest if there is one, else the tag."""
        return self.digest or self.tag


@record
class ArchiveReference:
    """An image layout in one tar file."""

    file: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.name + _suffix(self.tag, self.digest)

    @property
    def name(self) -> str:
        """The archive without tag and digest."""
        return ARCHIVE + self.file

    @property
    def wanted(self) -> Digest | str | None:
        """The argument of `Registry.manifest`: the digest if there is one, else the tag."""
        return self.digest or self.tag


Reference = RegistryReference | LayoutReference | ArchiveReference


def parse_reference(text: str) -> Reference:
    """Return the reference in `text`; `str` gives the text back. Raises InvalidReference."""
    if not text.isprintable():
        _refuse(text, "unprintable character")
    if "://" in text:
        _refuse(text, "a URL instead of a reference", "leave out the scheme and the `//` before the host")
    if text.startswith(LAYOUT):
        return LayoutReference(*_path(text, LAYOUT))
    if text.startswith(ARCHIVE):
        return ArchiveReference(*_path(text, ARCHIVE))
    return _registry_reference(text)


def is_tag(text: str) -> bool:
    """Return whether a registry accepts `text` as a tag."""
    return _TAG.fullmatch(text) is not None


def _registry_reference(text: str) -> RegistryReference:
    before, digest = _without_digest(text)
    host, slash, rest = before.partition("/")
    repository, colon, tag = rest.partition(":")
    if "@" in host:
        _refuse(text, "credentials in a reference", "leave them out, and log in with `docker login`")
    if not slash or not _names_a_host(host):
        _refuse(text, "the host of a registry is missing", _hint_for_path(text))
    if len(repository) > _MAX_REPOSITORY_LENGTH or _REPOSITORY.fullmatch(repository) is None:
        _refuse(
            text,
            f"{quoted(repository)} is not a repository name",
            "use lower-case letters, digits and . _ - between the slashes",
        )
    return RegistryReference(_host(text, host.lower()), repository, _tag(text, tag) if colon else None, digest)


def _path(text: str, kind: str) -> tuple[str, str | None, Digest | None]:
    before, digest = _without_digest(text.removeprefix(kind))
    path, colon, tag = before.partition(":")
    if not path:
        _refuse(text, "the path is missing", f"write {kind}PATH or {kind}PATH:TAG")
    return path, _tag(text, tag) if colon else None, digest


def _without_digest(text: str) -> tuple[str, Digest | None]:
    split = _DIGEST.fullmatch(text)
    if split is None:
        return text, None
    try:
        return split["before"], Digest.parse(split["digest"])
    except ValueError:
        _refuse(
            text, f"{quoted(split['digest'])} is not a digest", "write sha256: and 64 hexadecimal digits in lower case"
        )


def _names_a_host(first: str) -> bool:
    """Return whether the part before the first slash is a host, by the rule that every client follows.

    Without it, `team/agents` would be the repository `agents` of a host called `team`.
    """
    return first not in (".", "..") and ("." in first or ":" in first or first.lower() == "localhost")


def _host(text: str, host: str) -> str:
    match = _HOST.fullmatch(host)
    if match is None or len(match["name"]) > _MAX_HOST_LENGTH or not _is_ipv6(match["ipv6"]):
        _refuse(text, f"{quoted(host)} is not a host name")
    if match["port"] is not None and int(match["port"]) > 65535:
        _refuse(text, f"{match['port']} is not a port")
    return host


def _is_ipv6(text: str | None) -> bool:
    try:
        return text is None or ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _tag(text: str, tag: str) -> str:
    if not is_tag(tag):
        _refuse(
            text,
            f"{quoted(tag)} is not a tag",
            "use at most 128 letters, digits and . _ - in a tag, and no colon in a path",
        )
    return tag


def _suffix(tag: str | None, digest: Digest | None) -> str:
    return (f":{tag}" if tag is not None else "") + (f"@{digest}" if digest is not None else "")


def _hint_for_path(text: str) -> str:
    """Return what to write instead, where the text looks like a path on this machine."""
    path = _TAG_OR_DIGEST.sub("", text)
    shown = printable(_CREDENTIALS.sub("***@", text))
    if path.endswith(".tar"):
        return f"did you mean {ARCHIVE}{shown}?"
    if path.startswith(("/", "./", "../")) or path in (".", ".."):
        return f"did you mean {LAYOUT}{shown}? For a tar file, write {ARCHIVE}{shown}"
    return "include the host, such as registry.example.com/team/agents"


def _refuse(text: str, check: str, remedy: str | None = None) -> NoReturn:
    raise InvalidReference(subject=f"reference {quoted(_CREDENTIALS.sub('***@', text))}", check=check, remedy=remedy)
