"""Build the whole environment that the `git` command runs in, and check the address that git is given.

It holds our settings, a few of the user's, and none of any repository's. Settings travel in the environment
(`GIT_CONFIG_COUNT`), not as `-c` options: a header with a token in it would show in the process list.
"""

from __future__ import annotations

import os.path
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from agent_sync.adapters.program import Bounds, run
from agent_sync.errors import ConfigInvalid, Untrusted
from agent_sync.sources.addresses import Protocol, protocol_of, repository_problem
from agent_sync_oci.text import holds_credential, quoted, redact


@dataclass(frozen=True, slots=True)
class GitAddress:
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
    return Untrusted(subject=f"repository {quoted(redact(repo))}", check=f"its address {fault}", remedy=remedy)


# -- What the `git` command gets to see: our settings, a few of the user's, and nothing of any repository's. Settings
# travel in the environment (`GIT_CONFIG_COUNT`), not as `-c` options: a header with a token in it would show in the
# process list.

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


@dataclass(frozen=True, slots=True)
class InstalledGit:
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
