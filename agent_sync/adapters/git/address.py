"""A repository's address as git is to have it, looked at once more: the configuration is not the only way in here."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from urllib.parse import unquote

from agent_sync.config.addresses import Protocol, fault_of_repository, protocol_of
from agent_sync.errors import Untrusted
from agent_sync.escaping import shown
from agent_sync.redaction import holds_credential, without_credentials


@dataclass(frozen=True, slots=True)
class GitAddress:
    """`text` as git is to have it, and how git reaches it."""

    text: str
    protocol: Protocol

    def __str__(self) -> str:
        return f"repository {without_credentials(self.text)}"


def read_address(repo: str, *, root: str) -> GitAddress:
    """The repository that `repo` names; a plain relative path starts at the folder `root` (absolute).

    Raises:
        Untrusted: it would start a program, is made to be read as an option, or holds a password.
    """
    protocol = protocol_of(repo)
    fault = (fault_of_repository(repo) or _fault_when_decoded(repo)) if repo else "is empty"
    if fault is not None or protocol is None:
        raise _refused(repo, fault or "cannot be reached by git", "write it as https://host/path or user@host:path")
    if holds_credential(repo):
        raise _refused(repo, "holds a password", "take it out; git's credential helper or ~/.netrc can know it")
    if protocol == "file" and "://" not in repo:
        return GitAddress(os.path.normpath(os.path.join(root, repo)), protocol)
    scheme, separator, rest = repo.partition("://")
    return GitAddress(f"{scheme.lower()}{separator}{rest}" if separator else repo, protocol)


def _fault_when_decoded(repo: str) -> str | None:
    """An encoded line break becomes one in git's protocol, and in what credential helpers are asked (CVE-2020-5260)."""
    if "://" in repo and fault_of_repository(unquote(repo)) is not None:
        return "is not what it seems when its percent signs are decoded"
    return None


def _refused(repo: str, fault: str, remedy: str) -> Untrusted:
    return Untrusted(
        subject=f"repository {shown(without_credentials(repo))}", check=f"its address {fault}", remedy=remedy
    )
