"""info: the version, the files, and the tools of this agent-sync (spec §9.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_sync._version import __distribution__, __version__
from agent_sync.config import Config, ConfigPaths, ToolDirectory, tool_directories
from agent_sync.ports import World

SPEC_VERSION = "0.4"


@dataclass(frozen=True, slots=True)
class ConfigFileInfo:
    """A path where a configuration is looked for, and whether one is there.

    `level` is system, user, project, or policy.
    """

    level: str
    path: str
    found: bool


@dataclass(frozen=True, slots=True)
class InfoResult:
    """Versions, paths, and tools. `tools` has every tool with its directory; `custom` names those that the
    configuration defines.
    """

    distribution: str
    version: str
    spec_version: str
    format_version: int
    config_files: tuple[ConfigFileInfo, ...]
    inherit: bool
    lock: str
    lock_found: bool
    cache: str
    cache_bytes: int
    tool_map: str
    tools: Mapping[str, ToolDirectory]
    custom: tuple[str, ...]


def info(places: ConfigPaths, world: World) -> InfoResult:
    """Collect all of it; without a configuration the tools are the built-in ones.

    Raises: ConfigInvalid and its subclasses if a configuration cannot be read.
    """
    files = _config_files(places, world)
    # A policy alone configures nothing that is shown here.
    config = _config(places, world) if any(each.found for each in files if each.level != "policy") else Config()
    return InfoResult(
        distribution=__distribution__,
        version=__version__,
        spec_version=SPEC_VERSION,
        format_version=config.version,
        config_files=files,
        inherit=places.inherit,
        lock=places.lock,
        lock_found=world.read_file(places.lock) is not None,
        cache=world.store.name,
        cache_bytes=world.store.total_bytes(),
        tool_map=config.tool_map,
        tools=tool_directories(config),
        custom=tuple(sorted(each.name for each in config.tool_definitions)),
    )


def _config_files(places: ConfigPaths, world: World) -> tuple[ConfigFileInfo, ...]:
    """Return every path that is looked at, lowest layer first."""
    layers = [("system", places.system), ("user", places.user)] if places.inherit else []
    looked_at = [*layers, ("project", places.project), *(("policy", each) for each in places.policies)]
    return tuple(
        ConfigFileInfo(level, file.path, world.read_file(file.path) is not None)
        for level, file in looked_at
        if file is not None
    )


def _config(places: ConfigPaths, world: World) -> Config:
    from agent_sync.config.load import load

    return load(places, world.read_file, world.project).merged
