"""A world for resolving git sources: memory for the repository, the store and the signatures, nothing for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from textwrap import dedent
from typing import Any, BinaryIO, cast

from agent_sync.config import Config
from agent_sync.config.model import GitSource
from agent_sync.errors import AgentSyncError
from agent_sync.events import Event, Warned
from agent_sync.lock import Lock, LockedSource
from agent_sync.ports import Cancellation, Directory, GitHost, Kind, SignatureChecker, Stat, World
from agent_sync.sources.git.fetch import resolve_git
from agent_sync.tree import RelPath
from tests.builders.configs import a_config
from tests.fakes.git import MemoryGit, MemorySignatures
from tests.fakes.store import MemoryStore

REPO = "https://example.com/rules.git"


@dataclass(frozen=True)
class KeyFiles:
    """The two methods of `ports.Directory` by which key files are read."""

    files: Mapping[str, bytes]
    name: str = "/project"

    def stat(self, path: RelPath) -> Stat | None:
        return Stat(Kind.FILE, len(self.files[path]), False, 0, 0, 0) if path in self.files else None

    def open(self, path: RelPath) -> BinaryIO:
        return BytesIO(self.files[path])


@dataclass
class GitWorld:
    """A World and what was put in it; `files` are the project's, `machine` those at absolute paths."""

    git: GitHost = field(default_factory=MemoryGit)
    store: MemoryStore = field(default_factory=MemoryStore)
    signatures: SignatureChecker = field(default_factory=MemorySignatures)
    files: Mapping[str, bytes] = field(default_factory=dict)
    machine: Mapping[str, bytes] = field(default_factory=dict)
    cancellation: Cancellation = field(default_factory=Cancellation)
    events: list[Event] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """The rules of all warnings so far."""
        return [event.rule for event in self.events if isinstance(event, Warned)]

    @property
    def world(self) -> World:
        return World(
            project=cast(Directory, KeyFiles(self.files)),
            store=self.store,
            roots=self.store,
            records=self.store,
            scratch=self.store.scratch,
            git=self.git,
            fetcher=cast(Any, None),  # no git source asks for any of these
            registries=cast(Any, None),
            runner=cast(Any, None),
            signatures=self.signatures,
            nix=cast(Any, None),
            clock=cast(Any, None),
            at=cast(Any, None),
            read_file=self.machine.get,
            observer=self.events.append,
            cancellation=self.cancellation,
        )

    def resolve(self, config: Config, previous: Lock | None = None) -> Mapping[str, LockedSource | AgentSyncError]:
        """All sources of the configuration, which are of one repository."""
        sources = [source for source in config.sources if isinstance(source, GitSource)]
        return resolve_git(sources, config, previous, self.world)

    def locked(self, config: Config, previous: Lock | None = None) -> LockedSource:
        """The only source; its error is raised."""
        (outcome,) = self.resolve(config, previous).values()
        if isinstance(outcome, AgentSyncError):
            raise outcome
        return outcome


def git_sources(*sources: str, repo: str = REPO, more: str = "") -> Config:
    """A configuration of git sources of one repository, each given as `name: x, ref: y, ...`."""
    lines = [f"- {{type: git, repo: {repo!r}, {source}}}" for source in sources]
    return a_config(dedent(more) + "sources:\n" + "\n".join(lines) + "\n")
