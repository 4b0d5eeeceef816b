"""Find the configuration files, the project and its lock (spec §3.3; docs/reference/configuration.md)."""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import field
from types import ModuleType
from typing import Literal, NamedTuple

from agent_sync_oci.records import record

NAME = "agent-sync.yaml"
LOCK_NAME = "agent-sync.lock"
POLICY_NAME = "policy.yaml"

Platform = Literal["linux", "macos", "windows"]


@record
class Environment:
    """What discovery may know of the machine; `home` is None where the user has none."""

    cwd: str
    platform: Platform = "linux"
    home: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


class ConfigPath(NamedTuple):
    """The location of a file: its absolute path, the shorter name for messages, and whether its absence is an error."""

    path: str
    shown: str
    required: bool = False


class ConfigPaths(NamedTuple):
    """Every location that the environment and the options name; nothing says yet that a file is there.

    `root` is the directory of the project file, `lock` the absolute path of the lock file. `policies` are the machine's
    and, if one was named for this run, that. With `inherit` False only the project file and the policies are read.
    """

    root: str
    project: ConfigPath
    lock: str
    policies: tuple[ConfigPath, ...]
    system: ConfigPath | None = None
    user: ConfigPath | None = None
    inherit: bool = True


def discover(
    environment: Environment,
    *,
    config: str | None = None,
    lockfile: str | None = None,
    no_inherit: bool = False,
    policy: str | None = None,
) -> ConfigPaths:
    """Return the locations; the arguments are the options of those names (spec §9.8)."""
    paths = _paths_of(environment.platform)
    project = _absolute(paths, environment.cwd, config or NAME)
    root = paths.dirname(project)
    return ConfigPaths(
        root=root,
        project=ConfigPath(project, config or NAME, required=config is not None),
        lock=_absolute(paths, environment.cwd, lockfile) if lockfile else paths.join(root, LOCK_NAME),
        policies=tuple(_policies(environment, policy)),
        system=_inherited_file(environment, "AGENT_SYNC_SYSTEM_CONFIG", _system_directory(environment)),
        user=_inherited_file(environment, "AGENT_SYNC_USER_CONFIG", _user_directory(environment)),
        inherit=not (no_inherit or is_on(environment.variables.get("AGENT_SYNC_NO_INHERIT", ""))),
    )


def is_on(value: str) -> bool:
    """Return whether an environment variable with this value switches something on."""
    return value.strip().lower() in ("1", "true")


def _inherited_file(environment: Environment, variable: str, directory: str | None) -> ConfigPath | None:
    """Return the file that the variable names, else the one in the directory; an empty variable counts as unset."""
    paths = _paths_of(environment.platform)
    if named := environment.variables.get(variable):
        return ConfigPath(_absolute(paths, environment.cwd, named), named)
    if directory is None:
        return None
    path = paths.join(directory, NAME)
    return ConfigPath(path, path)


def _policies(environment: Environment, also: str | None) -> Iterator[ConfigPath]:
    """Yield the machine's policy, and the one for this run. What is named must exist: a slip must not switch a policy
    off.
    """
    paths = _paths_of(environment.platform)
    machines = environment.variables.get("AGENT_SYNC_POLICY")
    if not machines:
        path = paths.join(_system_directory(environment), POLICY_NAME)
        yield ConfigPath(path, path)
    for named in (machines, also):
        if named:
            yield ConfigPath(_absolute(paths, environment.cwd, named), named, required=True)


def _system_directory(environment: Environment) -> str:
    if environment.platform == "windows":
        return ntpath.join(environment.variables.get("ProgramData") or r"C:\ProgramData", "agent-sync")
    return "/etc/agent-sync"


def _user_directory(environment: Environment) -> str | None:
    base = _user_base(environment)
    return None if base is None else _paths_of(environment.platform).join(base, "agent-sync")


def _user_base(environment: Environment) -> str | None:
    home, variables = environment.home, environment.variables
    if environment.platform == "windows" and (named := variables.get("AppData") or variables.get("APPDATA")):
        return named
    # A relative one is to be ignored (XDG Base Directory Specification).
    if environment.platform == "linux" and (named := variables.get("XDG_CONFIG_HOME", "")).startswith("/"):
        return named
    if not home:
        return None
    match environment.platform:
        case "windows":
            return ntpath.join(home, "AppData", "Roaming")
        case "macos":
            return posixpath.join(home, "Library", "Application Support")
        case "linux":
            return posixpath.join(home, ".config")


def _absolute(paths: ModuleType, cwd: str, path: str) -> str:
    return str(paths.normpath(paths.join(cwd, path)))


def _paths_of(platform: Platform) -> ModuleType:
    return ntpath if platform == "windows" else posixpath
