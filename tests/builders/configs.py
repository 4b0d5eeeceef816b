"""Configurations out of YAML text: `a_config(...)` is one project file, `a_load(...)` all files as `load` has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent
from typing import cast

from agent_sync.config import Config, ConfigPath, Environment, discover
from agent_sync.config.layer import Layer, Level, read_layer
from agent_sync.config.load import LoadedConfig, load, merge_layers
from agent_sync.config.model import SOURCE_MODELS, SourceConfig
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.tree import RelPath

GIT = "{name: rules, type: git, repo: https://example.com/rules.git, ref: v1}"
SHOWN: Mapping[Level, str] = {
    "policy": "/etc/agent-sync/policy.yaml",
    "system": "/etc/agent-sync/agent-sync.yaml",
    "user": "/home/me/.config/agent-sync/agent-sync.yaml",
    "project": "agent-sync.yaml",
}


@dataclass(frozen=True)
class StatsOnly:
    """The one method of `ports.Directory` that loading calls, over paths that are said to exist."""

    kinds: Mapping[str, Kind]
    name: str = "/project"

    def stat(self, path: RelPath) -> Stat | None:
        kind = self.kinds.get(path)
        return None if kind is None else Stat(kind, 0, False, 0, 0, 0)


def a_directory(*files: str, kinds: Mapping[str, Kind] | None = None) -> Directory:
    """A project directory with these files, for whoever only asks what stands where."""
    return cast(Directory, StatsOnly({**dict.fromkeys(files, Kind.FILE), **(kinds or {})}))


def yaml_of(text: str) -> bytes:
    """The text without its indentation, and with the version if it does not say one."""
    plain = dedent(text).lstrip("\n")
    return (plain if "version" in plain else f"version: 1\n{plain}").encode()


def a_layer(text: str, *, level: Level = "project") -> Layer:
    """One file, read."""
    return read_layer(yaml_of(text), ConfigPath(f"/{level}", SHOWN[level]), level=level)


def a_source(type: str, **values: object) -> SourceConfig:  # noqa: A002  # as the file calls it
    """A source of that type, as the file declares it."""
    return SOURCE_MODELS[type].model_validate(values)


def a_config(text: str) -> Config:
    """What one project file declares; nothing says that its references hold."""
    return merge_layers((a_layer(text),), ())


def a_load(
    project: str | None = None,
    *,
    user: str | None = None,
    system: str | None = None,
    policy: str | None = None,
    inherit: bool = True,
    directory: Directory | None = None,
) -> LoadedConfig:
    """Everything loaded, with the files at their usual places on Linux."""
    given: dict[Level, str | None] = {"policy": policy, "system": system, "user": user, "project": project}
    texts = {level: text for level, text in given.items() if text is not None}
    return load_files(texts, inherit=inherit, directory=directory)


def load_files(texts: Mapping[Level, str], *, inherit: bool = True, directory: Directory | None = None) -> LoadedConfig:
    """The same, by level."""
    paths = {**SHOWN, "project": "/project/agent-sync.yaml"}
    files = {paths[level]: yaml_of(text) for level, text in texts.items()}
    places = discover(Environment(cwd="/project", home="/home/me"), no_inherit=not inherit)
    return load(places, lambda path: files.get(path), directory or a_directory())
