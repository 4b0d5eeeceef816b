"""What a failed transfer means: git's complaint, which is text of any shape and origin, as one of our errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agent_sync.adapters.git.environment import GitAddress
from agent_sync.errors import AgentSyncError, ConfigInvalid, NetworkError, UnsafePath, Untrusted
from agent_sync_oci.redaction import redact
from agent_sync_oci.text import quoted

_LOGIN = {
    "ssh": "see that `ssh-add -l` shows a key that this server knows, and that its host key is in ~/.ssh/known_hosts",
    "file": "see who owns this directory and whether this user may read it",
}
_WEB_LOGIN = "log in through git's credential helper (git help credentials) or an entry in ~/.netrc"
_OBJECTS = re.compile(r"object (?P<oid>[0-9a-f]{40}): (?P<fault>[A-Za-z0-9]+): (?P<words>[^\n]*)")
_UNSAFE_NAMES = frozenset({"hasDot", "hasDotdot", "hasDotgit", "fullPathname", "emptyName", "duplicateEntries"})
_MESSAGE_LINES = re.compile(r"^(?:fatal|error|remote|ssh): .*$|^ssh.*$|^.*Permission denied.*$", re.MULTILINE)

NO_SUCH_WANT = re.compile(
    r"does not allow request for unadvertised object"  # git before protocol 2
    r"|want [0-9a-f]{40} not valid"  # JGit
    r"|dumb http transport does not support|Couldn't find remote ref|couldn't find remote ref"
)
"""What a server says that gives out the refs of its refs only: then everything has to be fetched."""

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
        "the remote does not have this commit (any more)",
        "it may have been replaced by a force-push: choose another ref (what was locked is in the store or the caches)",
    ),
    _KnownFailure(
        re.compile(r"mismatched algorithms|unknown object format"),
        NetworkError,
        "it is a SHA-256 repository, which cannot be read yet",
        "use a repository in git's SHA-1 format",
    ),
    _KnownFailure(
        re.compile(r"Protocol .{0,20}not supported or disabled|unsupported protocol|transport '.*' not allowed"),
        Untrusted,
        "it redirects to a protocol that is not allowed there",
        "write the address that it finally leads to, if you trust it",
    ),
    _KnownFailure(
        re.compile(r"dubious ownership"),
        Untrusted,
        "the directory belongs to another user",
        "change its owner, or reach it by ssh or https: git's safe.directory is not looked at here",
    ),
    _KnownFailure(
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|Permission denied|Host key verification failed"
            r"|terminal prompts disabled|(?:HTTP|returned error:) (?:401|403)|authentication required|no credentials",
            re.IGNORECASE,
        ),
        NetworkError,
        "it does not let us in",
        None,
    ),
    _KnownFailure(
        re.compile(r"not found|does not appear to be a git|does not exist|could not find repository", re.IGNORECASE),
        NetworkError,
        "there is no such repository, or none that we may see",
        "check the address under `repo:`, and the login where it is private",
    ),
    _KnownFailure(
        re.compile(r"[Cc]ertificate|SSL|TLS"),
        NetworkError,
        "no trusted connection came about",
        "if the server's authority is your own: name its file in GIT_SSL_CAINFO or git's http.sslCAInfo",
    ),
    _KnownFailure(
        re.compile(r"bad boolean|bad config|bad numeric"),
        ConfigInvalid,
        "the user's git configuration holds a bad value",
        "look at credential.* and http.* in `git config --list`",
    ),
)


def transfer_failed(address: GitAddress, complaint: str) -> AgentSyncError:
    """The error that tells what `complaint`, the end of git's standard error, means; it holds no credential."""
    if (objects := _OBJECTS.search(complaint)) is not None:
        return _bad_objects(address, objects)
    reading = next((each for each in _KNOWN_FAILURES if each.pattern.search(complaint)), None)
    if reading is None:
        return NetworkError(
            subject=str(address),
            check=f"the transfer failed: {last_line(complaint)}",
            remedy="check the address and the network, and try again",
        )
    remedy = reading.remedy if reading.remedy is not None else _LOGIN.get(address.protocol, _WEB_LOGIN)
    return reading.error(subject=str(address), check=f"{reading.what}: {last_line(complaint)}", remedy=remedy)


def last_line(complaint: str) -> str:
    """What git said last, quoted for a message: one line, escaped, without credentials."""
    lines = _MESSAGE_LINES.findall(complaint) or complaint.strip().splitlines()[-1:] or ["it gave no reason"]
    chosen = next((line for line in lines if not line.startswith("fatal: Could not read from remote")), lines[-1])
    return quoted(redact(chosen))


def _bad_objects(address: GitAddress, objects: re.Match[str]) -> AgentSyncError:
    check = f"object {objects['oid']} does not pass git's check: {objects['fault']}, {quoted(objects['words'])}"
    if objects["fault"] in _UNSAFE_NAMES:
        return UnsafePath(subject=str(address), check=check, remedy="rename the file at the source")
    return NetworkError(subject=str(address), check=check, remedy="the repository is damaged, or hostile")
