"""Say what git is told and what it says: its address, its whole environment, and the meaning of its errors.

The environment holds our settings, a few of the user's, and none of any repository's. Settings travel in variables
(`GIT_CONFIG_COUNT`), not as `-c` options: a header with a token in it would show in the process list."""

from __future__ import annotations

import os.path
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from agent_sync.adapters.program import Bounds, run
from agent_sync.errors import AgentSyncError, ConfigInvalid, FileSystemError, NetworkError, UnsafePath, Untrusted
from agent_sync.sources.addresses import Protocol, protocol_of, repository_problem
from agent_sync_oci.text import holds_credential, quoted, redact


class GitAddress(NamedTuple):
    """An address in the spelling that git is given, and the protocol by which git reaches it."""

    text: str
    protocol: Protocol

    def __str__(self) -> str:
        return f"repository {redact(self.text)}"


def read_address(repo: str, *, root: str) -> GitAddress:
    """Return the repository that `repo` names; a plain relative path starts at the directory `root` (absolute).

    The address is checked once more: the configuration is not its only origin.

    Raises: Untrusted if it would start a program, is made to be read as an option, or holds a password.
    """
    protocol = protocol_of(repo)
    fault = (repository_problem(repo) or _fault_when_decoded(repo)) if repo else "is empty"
    if fault is not None or protocol is None:
        raise _refused_address(
            repo, fault or "cannot be reached by git", "write it as https://host/path or user@host:path"
        )
    if holds_credential(repo):
        raise _refused_address(repo, "holds a password", "take it out; git's credential helper or ~/.netrc can know it")
    if protocol == "file" and "://" not in repo:
        return GitAddress(os.path.normpath(os.path.join(root, repo)), protocol)
    scheme, separator, rest = repo.partition("://")
    return GitAddress(f"{scheme.lower()}{separator}{rest}" if separator else repo, protocol)


def _fault_when_decoded(repo: str) -> str | None:
    """Refuse an encoded line break, which becomes one in what credential helpers are asked (CVE-2020-5260)."""
    if "://" in repo and repository_problem(unquote(repo)) is not None:
        return "is not what it seems when its percent signs are decoded"
    return None


def _refused_address(repo: str, fault: str, remedy: str) -> Untrusted:
    return Untrusted(subject=f"repository {quoted(redact(repo))}", check=f"address {fault}", remedy=remedy)


Setting = tuple[str, str]

_OLDEST = (2, 32)  # the first that can be told not to read the user's configuration (GIT_CONFIG_GLOBAL)
_LARGEST_PIECE = "512m"  # of memory; git itself makes no delta of anything larger, and no list of refs is that long
_NO_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
}
_KEPT_VARIABLES = frozenset({"GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO"})
_WHERE_SETTINGS_ARE = frozenset({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"})
_CA_VARIABLES = ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # of these, git itself knows only the first
_KEPT_SETTING = re.compile(r"credential\..+|http\.(?:proxy|sslcainfo)|http\..+\.(?!followredirects$)[a-z]+", re.DOTALL)

# What real histories hold that git's check of objects complains about, and that nothing here depends on: odd dates and
# names of persons, and modes as git wrote them before 2008 (they are read as numbers). Nothing about names in trees.
_HARMLESS_ODDITIES = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badFilemode",
    "badName",
    "badTagName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

_OURS: tuple[Setting, ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.bigFileThreshold", "32m"),  # larger objects pass through in pieces and are not held in memory
    ("protocol.version", "2"),
    ("protocol.allow", "never"),
    ("http.followRedirects", "initial"),
    ("fetch.fsckObjects", "true"),
    *((f"fetch.fsck.{oddity}", "ignore") for oddity in _HARMLESS_ODDITIES),
    ("fetch.unpackLimit", "1"),  # one pack, whose size can be bounded, and no loose objects
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("submodule.recurse", "false"),
    ("transfer.bundleURI", "false"),  # a server does not send us elsewhere
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)


class InstalledGit(NamedTuple):
    """The `git` command, and what of its user's settings passes: how to log in and how to get out."""

    program: str
    base: Mapping[str, str]
    settings: tuple[Setting, ...]

    def environment(self, address: GitAddress, repository: str) -> dict[str, str]:
        """Return the whole environment for contacting `address` from the bare repository in `repository`."""
        settings = [*self.settings, *_OURS, *_allowed(address.protocol), ("remote.origin.url", address.text)]
        return {
            **self.base,
            **_as_variables(settings),
            "GIT_DIR": repository,
            **_NO_SETTINGS,
            "GIT_ALLOC_LIMIT": _LARGEST_PIECE,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_PROTOCOL_FROM_USER": "1",  # of the address itself; a redirect is held against `always`
            "GIT_TERMINAL_PROMPT": "0",
        }


def find_git(environment: Mapping[str, str], directory: str) -> InstalledGit | None:
    """Return the `git` on PATH with its user's settings; None if there is none, or one from before 2021.

    `directory` is any empty directory. Raises ConfigInvalid if the user's git configuration cannot be read.
    """
    program = shutil.which("git", path=environment.get("PATH", ""))
    if program is None or _version(program, environment, directory) < _OLDEST:
        return None
    base = _without_settings(environment)
    settings = tuple(_user_settings(program, environment, directory))
    authorities = certificates(environment)
    if authorities is not None and not any(key == "http.sslcainfo" for key, _ in settings):
        settings = (("http.sslcainfo", authorities), *settings)
    return InstalledGit(program, base, settings)


def certificates(environment: Mapping[str, str]) -> str | None:
    """Return the file of the authorities to trust, as the environment names it for git, curl, or OpenSSL."""
    return next((environment[name] for name in _CA_VARIABLES if environment.get(name)), None)


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less everything that steers git, with messages in English, since they are parsed here."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("GIT_", "AGENT_SYNC_")) and name != "LANGUAGE"
    }
    return {**kept, "LC_ALL": "C"}


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return isolated(environment) | {name: environment[name] for name in _KEPT_VARIABLES if name in environment}


def _version(program: str, environment: Mapping[str, str], directory: str) -> tuple[int, int]:
    settings = isolated(environment) | _NO_SETTINGS
    completed = run((program, "version"), _bounds(), environment=settings, directory=directory)
    found = re.match(rb"git version (\d+)\.(\d+)", completed.output)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _user_settings(program: str, environment: Mapping[str, str], directory: str) -> Iterable[Setting]:
    """Yield the settings of the system and the user (never of a repository) that are kept, in order."""
    seen = isolated(environment) | {name: environment[name] for name in _WHERE_SETTINGS_ARE if name in environment}
    seen["GIT_CEILING_DIRECTORIES"] = directory.rpartition("/")[0]  # a home directory may be a repository
    argv = (program, "config", "--list", "-z", "--show-scope", "--includes")
    completed = run(argv, _bounds(), environment=seen, directory=directory)
    if completed.exit_code:
        raise ConfigInvalid(
            subject="the git configuration of this user",
            check=f"cannot be read: {quoted(completed.stderr.strip())}",
            remedy="run git config --list, which shows the same error",
        )
    fields = completed.output.decode("utf-8", "surrogateescape").split("\0")
    for scope, setting in zip(fields[::2], fields[1::2], strict=False):
        key, has_value, value = setting.partition("\n")
        if scope in ("system", "global") and _KEPT_SETTING.fullmatch(key):
            yield key, value if has_value else "true"


def _allowed(protocol: str) -> Iterable[Setting]:
    """Allow the protocol of the address, and https: so a redirect leads nowhere but to https."""
    yield f"protocol.{protocol}.allow", "user"
    if protocol in ("http", "https"):
        yield "protocol.https.allow", "always"


def _as_variables(settings: Iterable[Setting]) -> dict[str, str]:
    variables = {}
    count = 0
    for count, (key, value) in enumerate(settings, start=1):
        variables[f"GIT_CONFIG_KEY_{count - 1}"] = key
        variables[f"GIT_CONFIG_VALUE_{count - 1}"] = value
    return {**variables, "GIT_CONFIG_COUNT": str(count)}


def _bounds() -> Bounds:
    return Bounds("the git command of this machine", timeout_s=30.0)


_LOGIN = {
    "ssh": "see that `ssh-add -l` shows a key that this server knows, and that its host key is in ~/.ssh/known_hosts",
    "file": "see who owns this directory and whether this user may read it",
}
_WEB_LOGIN = "log in through git's credential helper (git help credentials) or an entry in ~/.netrc"
# Texts, not compiled patterns: only a transfer that fails needs them.
_OBJECTS = r"object (?P<oid>[0-9a-f]{40}): (?P<fault>[A-Za-z0-9]+): (?P<words>[^\n]*)"
_UNSAFE_NAMES = frozenset({"hasDot", "hasDotdot", "hasDotgit", "fullPathname", "emptyName", "duplicateEntries"})
_DISK_FAULT = r"No space left on device|Input/output error|Disk quota exceeded|Read-only file system"
_MESSAGE_LINES = r"(?m)^(?:fatal|error|remote|ssh): .*$|^ssh.*$|^.*Permission denied.*$"

NO_SUCH_WANT = (
    r"does not allow request for unadvertised object"  # git before protocol 2
    r"|want [0-9a-f]{40} not valid"  # JGit
    r"|dumb http transport does not support|Couldn't find remote ref|couldn't find remote ref"
)
"""The answer of a server that gives out only what its refs point to: then everything has to be fetched."""

COMMIT_GONE = r"not our ref (?P<oid>[0-9a-f]{40})|not our ref"


class _KnownFailure(NamedTuple):
    pattern: str
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
        r"mismatched algorithms|unknown object format",
        NetworkError,
        "SHA-256 repositories cannot be read yet",
        "use a repository in git's SHA-1 format",
    ),
    _KnownFailure(
        r"Protocol .{0,20}not supported or disabled|unsupported protocol|transport '.*' not allowed",
        Untrusted,
        "redirect to a protocol that is not allowed",
        "write the address that it finally leads to, if you trust it",
    ),
    _KnownFailure(
        r"dubious ownership",
        Untrusted,
        "the directory belongs to another user",
        "change its owner, or reach it by ssh or https: git's safe.directory is not read here",
    ),
    _KnownFailure(
        (
            r"(?i)Authentication failed|could not read (?:Username|Password)|Permission denied"
            r"|Host key verification failed|terminal prompts disabled|(?:HTTP|returned error:) (?:401|403)"
            r"|authentication required|no credentials"
        ),
        NetworkError,
        "authentication failed",
        None,
    ),
    _KnownFailure(
        r"(?i)not found|does not appear to be a git|does not exist|could not find repository",
        NetworkError,
        "repository not found, or access denied",
        "check the address under `repo:`, and the login where it is private",
    ),
    _KnownFailure(
        r"[Cc]ertificate|SSL|TLS",
        NetworkError,
        "the server's certificate is not trusted",
        "if the server's authority is your own: name its file in GIT_SSL_CAINFO or git's http.sslCAInfo",
    ),
    _KnownFailure(
        r"bad boolean|bad config|bad numeric",
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
    if re.search(_DISK_FAULT, local):
        return FileSystemError(
            subject=f"file {quoted(repository)}",
            check=f"cannot be written or read: {last_line(local)}",
            remedy="free some space, see the system's log (dmesg), or set AGENT_SYNC_CACHE to another directory",
        )
    if (objects := re.search(_OBJECTS, stderr)) is not None:
        return _bad_objects(address, objects)
    known = next((each for each in _KNOWN_FAILURES if re.search(each.pattern, stderr)), None)
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
    lines = re.findall(_MESSAGE_LINES, stderr) or stderr.strip().splitlines()[-1:] or ["no reason given"]
    chosen = next((line for line in lines if not line.startswith("fatal: Could not read from remote")), lines[-1])
    return quoted(redact(chosen))


def _bad_objects(address: GitAddress, objects: re.Match[str]) -> AgentSyncError:
    check = f"object {objects['oid']} does not pass git's check: {objects['fault']}, {quoted(objects['words'])}"
    if objects["fault"] in _UNSAFE_NAMES:
        return UnsafePath(subject=str(address), check=check, remedy="rename the file at the source")
    return NetworkError(subject=str(address), check=check, remedy="the repository is damaged, or hostile")
