"""Connect environment and options to a `World` and a `Project`: the one place that knows which adapter serves which
port.
"""

from __future__ import annotations

import os
import posixpath
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.files import read_file
from agent_sync.adapters.machine import SystemClock, private_directory
from agent_sync.config import Environment, discover, is_on
from agent_sync.errors import UsageError
from agent_sync.events import AuditObserver, Observer, ignore
from agent_sync.ports import World
from agent_sync.project import Project
from agent_sync.receipt.store import CACHE_VARIABLE, user_cache
from agent_sync.store.blobs import DiskBlobs
from agent_sync.store.directory import CacheDirectory, DiskRecords, DiskRoots

if TYPE_CHECKING:
    from agent_sync.adapters.key_files import KeyFiles
    from agent_sync.config.discovery import Platform
    from agent_sync.ports import Fetcher, GitHost, Nix, Registries, Runner, Scratch, SignatureChecker
    from agent_sync.receipt.recorder import Recorder
    from agent_sync.store.cache import Cache


def open_project(
    path: str = ".",
    *,
    config: str | None = None,
    lockfile: str | None = None,
    no_inherit: bool = False,
    policy: str | None = None,
    offline: bool = False,
    observer: Observer = ignore,
    audit: AuditObserver | None = None,
    environment: Mapping[str, str] | None = None,
) -> Project:
    """Open the project in the directory `path`, on this machine.

    `config`, `lockfile`, `no_inherit`, `policy` and `offline` are the command line's flags of those names; `observer`
    and `audit` hear events; `environment` takes the place of the process's environment variables. Nothing is read
    before a verb needs it.

    Raises: UsageError for a malformed AGENT_SYNC_SOURCES, FileSystemError if the directory cannot be opened.
    """
    variables = os.environ if environment is None else environment
    here = _environment(path, variables)
    places = discover(here, config=config, lockfile=lockfile, no_inherit=no_inherit, policy=policy)
    clock = SystemClock()
    cache = CacheDirectory(lambda: cache_path(variables), private_directory)
    blobs = DiskBlobs(cache)
    world = World(
        project=DiskDirectory(places.root),
        store=blobs,
        roots=DiskRoots(cache, blobs, clock),
        records=DiskRecords(cache),
        scratch=cache.scratch,
        git=lazy(lambda: _git(variables, cache.scratch, root=places.root)),
        fetcher=lazy(lambda: _fetcher(variables)),
        registries=lazy(lambda: _registries(variables)),
        runner=lazy(_runner),
        signatures=lazy(lambda: _signatures(variables, cache.scratch)),
        nix=lazy(lambda: _nix(variables)),
        clock=clock,
        at=DiskDirectory,
        read_file=read_file,
        observer=observer,
        audit=audit,
        actor=f"uid:{os.getuid()}",
        new_run=lambda: os.urandom(16).hex(),
        offline=offline or is_on(variables.get("AGENT_SYNC_OFFLINE", "")),
    )
    return Project(world, places, supplied=_supplied(variables))


def recorded_project(project: Project, recorder: Recorder) -> Project:
    """Return the same project; all that is read through it is recorded for a receipt."""
    from agent_sync.adapters.recording import recorded

    return replace(project, world=recorded(project.world, recorder))


def open_cache(*, observer: Observer = ignore, environment: Mapping[str, str] | None = None) -> Cache:
    """Return the cache that this user's projects share (`AGENT_SYNC_CACHE`, else in the user's cache directory)."""
    variables = os.environ if environment is None else environment
    from agent_sync.store.cache import cache_at

    return cache_at(lambda: cache_path(variables), private_directory, SystemClock(), observer=observer)


_Port = TypeVar("_Port")


def lazy(make: Callable[[], _Port]) -> _Port:
    """Return a port that `make` makes on first use, once, in whichever thread first needs it."""
    return cast("_Port", _Lazy(make))


class _Lazy:
    """Passes every attribute on to what is made on first use, because its libraries take long to load."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: list[object] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as many types as the port has methods
        with self._making:
            if not self._made:
                self._made.append(self._make())
        return getattr(self._made[0], name)


# What a run without anything to fetch or to make has no use for is not even loaded.


def _git(variables: Mapping[str, str], scratch: Scratch, *, root: str) -> GitHost:
    from agent_sync.adapters.git import RemoteGit

    return RemoteGit(variables, scratch, root=root)


def _signatures(variables: Mapping[str, str], scratch: Scratch) -> SignatureChecker:
    from agent_sync.adapters.git import GitSignatures

    return GitSignatures(variables, scratch)


def _fetcher(variables: Mapping[str, str]) -> Fetcher:
    from agent_sync.adapters.network import HttpFetcher

    return HttpFetcher(variables)


def _nix(variables: Mapping[str, str]) -> Nix:
    from agent_sync.adapters.nix import InstalledNix

    return InstalledNix(variables)


def _registries(variables: Mapping[str, str]) -> Registries:
    from agent_sync.adapters.network import MachineRegistries

    return MachineRegistries(variables)


def _runner() -> Runner:
    from agent_sync.adapters.sandbox.runner import SandboxRunner

    return SandboxRunner()


def keys_generate(prefix: str, pass_phrase: bytes) -> KeyFiles:
    """Generate a key pair for signing bundles: `prefix`.key, encrypted, and `prefix`.pub. Raises FileSystemError."""
    from agent_sync.adapters.key_files import write_key_pair

    return write_key_pair(prefix, pass_phrase)


def _environment(path: str, variables: Mapping[str, str]) -> Environment:
    return Environment(cwd=os.path.abspath(path), platform=_platform(), home=_home(variables), variables=variables)


def _platform() -> Platform:
    return "macos" if sys.platform == "darwin" else "windows" if sys.platform == "win32" else "linux"


def _home(variables: Mapping[str, str]) -> str | None:
    return variables.get("HOME") or variables.get("USERPROFILE") or None


def cache_path(variables: Mapping[str, str]) -> str:
    """Return the cache's path: `AGENT_SYNC_CACHE`, else `agent-sync/store` in the user's cache directory.

    Raises: UsageError if there is no home either.
    """
    if named := variables.get(CACHE_VARIABLE):
        return os.path.abspath(named)
    cache = user_cache(variables, macos=_platform() == "macos")
    if cache is None:
        raise UsageError(
            subject="the cache",
            check="neither HOME nor AGENT_SYNC_CACHE is set",
            remedy="set AGENT_SYNC_CACHE to a directory",
        )
    return posixpath.join(cache, "store")


def _supplied(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Parse AGENT_SYNC_SOURCES: a JSON object of source names and the directories that hold their trees."""
    text = variables.get("AGENT_SYNC_SOURCES")
    if not text:
        return {}
    import json

    try:
        given = json.loads(text)
    except ValueError as error:
        raise _bad_sources(f"not JSON: {error}") from error
    if not isinstance(given, dict) or not all(
        isinstance(each, str) and each.startswith("/") for each in given.values()
    ):
        raise _bad_sources("not a JSON object of names and absolute directories")
    return given


def _bad_sources(check: str) -> UsageError:
    return UsageError(
        subject="AGENT_SYNC_SOURCES",
        check=check,
        remedy='write {"source-name": "/absolute/directory", ...}, or unset it',
    )
