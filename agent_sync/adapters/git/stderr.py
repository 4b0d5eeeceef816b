"""Translate the standard error of a failed git, which is text of any shape and origin, into one of our errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agent_sync.adapters.git.environment import GitAddress
from agent_sync.errors import AgentSyncError, ConfigInvalid, FileSystemError, NetworkError, UnsafePath, Untrusted
from agent_sync_oci.text import quoted, redact

_LOGIN = {
    "ssh": "see that `ssh-add -l` shows a key that this server knows, and that its host key is in ~/.ssh/known_hosts",
    "file": "see who owns this directory and whether this user may read it",
}
_WEB_LOGIN = "log in through git's credential helper (git help credentials) or an entry in ~/.netrc"
_OBJECTS = re.compile(r"object (?P<oid>[0-9a-f]{40}): (?P<fault>[A-Za-z0-9]+): (?P<words>[^\n]*)")
_UNSAFE_NAMES = frozenset({"hasDot", "hasDotdot", "hasDotgit", "fullPathname", "emptyName", "duplicateEntries"})
_DISK_FAULT = re.compile(r"No space left on device|Input/output error|Disk quota exceeded|Read-only file system")
_MESSAGE_LINES = re.compile(r"^(?:fatal|error|remote|ssh): .*$|^ssh.*$|^.*Permission denied.*$", re.MULTILINE)

NO_SUCH_WANT = re.compile(
    r"does not allow request for unadvertised object"  # git before protocol 2
    r"|want [0-9a-f]{40} not valid"  # JGit
    r"|dumb http transport does not support|Couldn't find remote ref|couldn't find remote ref"
)
"""The answer of a server that gives out only what its refs point to: then everything has to be fetched."""

COMMIT_GONE = re.compile(r"not our ref (?P<oid>[0-9a-f]{40})|not our ref")


class _KnownFailure(NamedTuple):
    pattern: re.Pattern[str]
    error: Callable[..., AgentSyncError]
    what: str
    remedy: str | None  # None: how to log in


_KNOWN_FAILURES = (
    _KnownFailure(
        COMMIT_GONE,
        NetworkError,
        "this commit is not, or no longer, in the repository",
        "choose another ref: a force-push may have replaced it (what was locked is in the cache or in `caches:`)",
    ),
    _KnownFailure(
        re.compile(r"mismatched algorithms|unknown object format"),
        NetworkError,
        "SHA-256 repositories cannot be read yet",
        "use a repository in git's SHA-1 format",
    ),
    _KnownFailure(
        re.compile(r"Protocol .{0,20}not supported or disabled|unsupported protocol|transport '.*' not allowed"),
        Untrusted,
        "redirect to a protocol that is not allowed",
        "write the address that it finally leads to, if you trust it",
    ),
    _KnownFailure(
        re.compile(r"dubious ownership"),
        Untrusted,
        "the directory belongs to another user",
        "change its owner, or reach it by ssh or https: git's safe.directory is not read here",
    ),
    _KnownFailure(
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|Permission denied|Host key verification failed"
            r"|terminal prompts disabled|(?:HTTP|returned error:) (?:401|403)|authentication required|no credentials",
            re.IGNORECASE,
        ),
        NetworkError,
        "authentication failed",
        None,
    ),
    _KnownFailure(
        re.compile(r"not found|does not appear to be a git|does not exist|could not find repository", re.IGNORECASE),
        NetworkError,
        "repository not found, or access denied",
        "check the address under `repo:`, and the login where it is private",
    ),
    _KnownFailure(
        re.compile(r"[Cc]ertificate|SSL|TLS"),
        NetworkError,
        "the server's certificate is not trusted",
        "if the server's authority is your own: name its file in GIT_SSL_CAINFO or git's http.sslCAInfo",
    ),
    _KnownFailure(
        re.compile(r"bad boolean|bad config|bad numeric"),
        ConfigInvalid,
        "a value in the user's git configuration is malformed",
        "look at credential.* and http.* in `git config --list`",
    ),
)


def transfer_failed(address: GitAddress, stderr: str, repository: str) -> AgentSyncError:
    """Return the error that `stderr`, the end of git's standard error, means; it holds no credential.

    `repository` is the directory of the temporary repository, which a fault of this machine's disk is about.
    """
    local = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    if _DISK_FAULT.search(local):
        return FileSystemError(
            subject=f"file {quoted(repository)}",
            check=f"cannot be written or read: {last_line(local)}",
            remedy="free some space, look at the system's log (dmesg), or set AGENT_SYNC_CACHE to another directory",
        )
    if (objects := _OBJECTS.search(stderr)) is not None:
        return _bad_objects(address, objects)
    known = next((each for each in _KNOWN_FAILURES if each.pattern.search(stderr)), None)
    if known is None:
        return NetworkError(
            subject=str(address),
            check=f"the transfer failed: {last_line(stderr)}",
            remedy="check the address and the network, and try again",
        )
    remedy = known.remedy if known.remedy is not None else _LOGIN.get(address.protocol, _WEB_LOGIN)
    return known.error(subject=str(address), check=f"{known.what}: {last_line(stderr)}", remedy=remedy)


def last_line(stderr: str) -> str:
    """Return git's last message, quoted: one line, escaped, without credentials."""
    lines = _MESSAGE_LINES.findall(stderr) or stderr.strip().splitlines()[-1:] or ["no reason given"]
    chosen = next((line for line in lines if not line.startswith("fatal: Could not read from remote")), lines[-1])
    return quoted(redact(chosen))


def _bad_objects(address: GitAddress, objects: re.Match[str]) -> AgentSyncError:
    check = f"object {objects['oid']} does not pass git's check: {objects['fault']}, {quoted(objects['words'])}"
    if objects["fault"] in _UNSAFE_NAMES:
        return UnsafePath(subject=str(address), check=check, remedy="rename the file at the source")
    return NetworkError(subject=str(address), check=check, remedy="the repository is damaged, or hostile")
