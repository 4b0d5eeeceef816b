"""Run: one run of one verb, with its id, and the inputs that it loads."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent_sync.checkout import Checkout
from agent_sync.errors import ConfigInvalid
from agent_sync.operations.inputs import Inputs, LockFile, ReadFile, ReadSet
from agent_sync.ports import World
from agent_sync.tree import RelPath

if TYPE_CHECKING:
    from agent_sync.config import ConfigPaths
    from agent_sync.config.load import LoadedConfig


@dataclass(frozen=True)
class Run:
    """One run of the verb `operation` in one project. Each `Inputs` that it returns is loaded anew.

    A verb that writes loads its inputs once for each attempt, so that it plans from what the project is then.
    """

    operation: str
    world: World
    places: ConfigPaths
    supplied: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    def inputs(self, *, frozen: bool = False) -> Inputs:
        """Return the inputs with the configuration; with `frozen` it is not read, and only the machine's policy counts.

        Raises: ConfigInvalid and its subclasses, FileSystemError.
        """
        bare = self.bare_inputs()
        read_file = bare.reads.recording(self.world.read_file)
        if frozen:
            from agent_sync.config.load import load_policies

            return replace(bare, demands=load_policies(self.places, read_file))
        loaded = self._load(read_file)
        config = loaded.merged
        world = replace(self.world, observer=config.locating_warnings(self.world.observer))
        return replace(bare, world=world, config=config, shared=loaded.project, demands=config)

    def inputs_if_declared(self) -> Inputs:
        """Return the inputs, without a configuration where there is none: a bundle may arrive at an empty directory."""
        from agent_sync.config.load import is_declared

        return self.inputs(frozen=not is_declared(self.places, self.world.read_file))

    def inputs_or_lock(self) -> Inputs:
        """Return the inputs, without a configuration where there is a lock but no configuration."""
        return self.inputs() if self._lock_file.content() is None else self.inputs_if_declared()

    def bare_inputs(self) -> Inputs:
        """Return inputs without the configuration, for verbs that have no use for it."""
        return Inputs(
            world=self.world,
            checkout=Checkout(self.world.project),
            lock_file=self._lock_file,
            run=self.id,
            operation=self.operation,
            reads=ReadSet(),
            inherit=self.places.inherit,
            supplied=self.supplied,
        )

    @property
    def _lock_file(self) -> LockFile:
        return lock_file(self.places, self.world)

    def _load(self, read_file: ReadFile) -> LoadedConfig:
        """Return the configuration as it is now; its warnings are announced."""
        from agent_sync.config.load import is_declared, load

        try:
            loaded = load(self.places, read_file, self.world.project)
        except ConfigInvalid as error:
            if is_declared(self.places, read_file) or self._lock_file.content() is None:
                raise
            remedy = "to go by the lock alone: agent-sync sync --frozen; to declare sources: agent-sync init"
            raise error.restated(remedy=remedy) from error
        for warning in loaded.warnings:
            self.world.observer(warning)
        return loaded


def lock_file(places: ConfigPaths, world: World) -> LockFile:
    """Return the lock file, wherever `--lockfile` put it."""
    directory, name = posixpath.split(places.lock)
    return LockFile(world.at(directory), RelPath(name), name)
