"""The places -> the configuration in force: every file read, all merged, every reference checked."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.config.checking import refuse_inconsistent, unused_sources
from agent_sync.config.discovery import NAME, ConfigPath, Places
from agent_sync.config.effective import Config
from agent_sync.config.merging import alone, merged
from agent_sync.config.reading import Layer, Level, read_layer
from agent_sync.errors import ConfigInvalid, FileFault
from agent_sync.events import Warned

if TYPE_CHECKING:
    from agent_sync.ports import Folder

Read = Callable[[str], bytes | None]
"""The bytes of the file at an absolute path, None if there is no file; FileFault if it cannot be read.

What comes after the first `reading.MAX_CONFIG_BYTES` + 1 bytes may be left out.
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is declared, in two views under the same demands, and where it was read.

    `project` is what the shared lock is a function of: the project's own file (or everything, if there is none).
    `merged` is every layer's. `layers` are the files that were there, system first, the project last.
    """

    project: Config
    merged: Config
    layers: tuple[Layer, ...]
    policies: tuple[Layer, ...]
    warnings: tuple[Warned, ...]


def load(places: Places, read: Read, project: Folder) -> Loaded:
    """Everything that is declared for the project, whose root is `project`.

    Raises:
        ConfigInvalid: no file at all, or one that is wrong in itself or together with the others.
        UnknownTool, Untrusted, UnsafePath, LimitExceeded: see `reading.read_layer` and `checking.refuse_inconsistent`.
        FileFault: a file is there and cannot be read.
    """
    policies = _policies(places, read)
    layers = _layers(places, read)
    if not layers:
        raise _nothing(places, read)
    everything = merged(layers, policies)
    ignored = tuple(each for layer in layers for each in layer.warnings)
    with _told_with(ignored):
        refuse_inconsistent(everything, project)
    has_own = len(layers) > 1 and layers[-1].level == "project"
    return Loaded(
        project=alone(layers[-1], layers, policies) if has_own else everything,
        merged=everything,
        layers=layers,
        policies=policies,
        warnings=(*ignored, *unused_sources(everything)),
    )


@contextmanager
def _told_with(ignored: Sequence[Warned]) -> Iterator[None]:
    """What is wrong is told with the keys that were ignored: `surces:` is why no source is declared."""
    try:
        yield
    except ConfigInvalid as error:
        if not ignored:
            raise
        told = "; ".join(f"{each.subject}: {each.message}" for each in ignored)
        raise error.restated(remedy=told if error.remedy is None else f"{error.remedy}\n{told}") from error


def is_declared(places: Places, read: Read) -> bool:
    """Whether there is any configuration; one that was named must be there, and counts even if it is not."""
    files = [each for each in (places.project, *((places.system, places.user) if places.inherit else ())) if each]
    return any(each.required or read(each.path) is not None for each in files)


def load_policies(places: Places, read: Read) -> Config:
    """The policies' demands alone, on a configuration that declares nothing: all that `sync --frozen` reads."""
    return merged((), _policies(places, read))


def _policies(places: Places, read: Read) -> tuple[Layer, ...]:
    found = (_layer(file, "policy", read) for file in places.policies)
    return tuple(layer for layer in found if layer is not None)


def _layers(places: Places, read: Read) -> tuple[Layer, ...]:
    inherited: list[tuple[ConfigPath | None, Level]] = [(places.system, "system"), (places.user, "user")]
    wanted = [*(inherited if places.inherit else []), (places.project, "project")]
    found = [_layer(file, level, read) for file, level in wanted if file is not None]
    return tuple(layer for layer in found if layer is not None)


def _layer(file: ConfigPath, level: Level, read: Read) -> Layer | None:
    content = read(file.path)
    if content is not None:
        return read_layer(content, file, level=level)
    if file.required:
        raise ConfigInvalid(subject=file.shown, check="there is no such file", remedy="correct the path that names it")
    return None


def _nothing(places: Places, read: Read) -> ConfigInvalid:
    others = [file.shown for file in (places.system, places.user) if file is not None]
    elsewhere = f", nor {' or '.join(others)}" if places.inherit and others else ""
    above = _above(places.root, read)
    return ConfigInvalid(
        subject=places.project.shown,
        check=f"there is no such file in {places.root}{elsewhere}",
        remedy="make one: agent-sync init" if above is None else f"go to {above}, where one is, or name it: --config",
    )


def _above(folder: str, read: Read) -> str | None:
    """The nearest folder above that has a configuration: whoever is used to git expects that it is found."""
    while folder != (folder := posixpath.dirname(folder)):
        with suppress(FileFault):
            if read(posixpath.join(folder, NAME)) is not None:
                return folder
    return None
