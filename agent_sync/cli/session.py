"""Session: one run of a command, with its options, its screen, and what it opens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_sync.cli.lines import Line
from agent_sync.cli.listener import Listener
from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.screen import Screen, Streams

if TYPE_CHECKING:
    from agent_sync.cli.memory import Memory
    from agent_sync.ports import Cancellation
    from agent_sync.project import Project
    from agent_sync.receipt.noting import Notes
    from agent_sync.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process gives to its program; nothing of it is read anywhere else. `folder` is the current one.

    With a `memory` an answer that can be given again is kept.
    """

    streams: Streams
    environment: Mapping[str, str]
    cancellation: Cancellation
    folder: str = "."
    memory: Memory | None = None


class Session:
    """One run. It can be made before anything is opened, so that what fails at once is shown as it was asked for."""

    def __init__(self, options: GlobalOptions, surroundings: Surroundings, *, notes: Notes | None = None) -> None:
        self.options = options
        self._surroundings = surroundings
        self._notes = notes
        environment = surroundings.environment
        self._environment = environment if notes is None else notes.environment(environment)
        self.screen = Screen(
            surroundings.streams,
            self._environment,
            no_color=options.no_color,
            quiet=options.quiet,
            hear=None if notes is None else notes.say,
        )
        self.listener = Listener(self.screen, verbose=options.verbose, document=options.json)

    def project(self, *, policy: str | None = None) -> Project:
        """The project in the current folder, or where `--config` says; `policy` is a file with further demands.

        Raises: UsageWrong, FileFault.
        """
        from agent_sync.wiring import noted, open_project

        project = open_project(
            self._surroundings.folder,
            config=self.options.config,
            lockfile=self.options.lockfile,
            no_inherit=self.options.no_inherit,
            policy=policy,
            offline=self.options.offline,
            observer=self.listener,
            environment=self._environment,
        )
        if self._notes is not None:
            project = noted(project, self._notes)
        return project.within(cancellation=self._surroundings.cancellation)

    def cache(self) -> Cache:
        """The user's store. Raises UsageWrong, FileFault."""
        from agent_sync.wiring import open_cache

        cache = open_cache(observer=self.listener, environment=self._environment)
        return replace(cache, cancellation=self._surroundings.cancellation)

    def show(self, lines: Iterable[Line]) -> None:
        """The lines are on standard output, unless a document is wanted there. FileFault if it cannot be written."""
        if not self.options.json:
            self.screen.show(lines)

    @property
    def folder(self) -> str:
        """The current folder, as an absolute path."""
        return os.path.abspath(self._surroundings.folder)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment's variables."""
        return self._surroundings.environment

    def ask_secret(self, question: str) -> str | None:
        """What the person at the terminal types, unseen; None where nobody can be asked."""
        if self.options.json or not self.screen.can_ask:
            return None
        self.listener.finish()
        return self.screen.ask_secret(question)

    def ask(self, question: str) -> str | None:
        """What the person at the terminal answers; None where nobody can be asked."""
        if self.options.json or not self.screen.can_ask:
            return None
        self.listener.finish()
        return self.screen.ask(question)
