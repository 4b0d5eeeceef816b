"""A world for resolving git sources: memory for the repository, the store and the signatures, nothing for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from textwrap import dedent
from typing import Any, BinaryIO, cast

from agent_sync.config import Config, Policy, request_for
from agent_sync.errors import AgentSyncError
from agent_sync.events import Event, Warned
from agent_sync.limits import Limits
from agent_sync.lock import Lock, LockedSource
from agent_sync.ports import Cancellation, Directory, GitHost, Kind, SignatureChecker, Stat, World
from agent_sync.sources.base import Context, Request, UpstreamState
from agent_sync.sources.content import Content
from agent_sync.sources.git.fetch import check_git, refetch_git, resolve_git
from agent_sync.supply import source_context
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

    @property
    def context(self) -> Context:
        """The ports as source types get them."""
        return source_context(self.world)

    def resolve(self, config: Config, previous: Lock | None = None) -> Mapping[str, LockedSource | AgentSyncError]:
        """All sources of the configuration, which are of one repository."""
        known = previous or Lock()
        requests = [request_for(each, config, known.source(each.name)) for each in config.sources]
        return {
            name: each if isinstance(each, AgentSyncError) else LockedSource(name, each.declaration, each.pin)
            for name, each in resolve_git(requests, self.context).items()
        }

    def check(self, config: Config, lock: Lock) -> Mapping[str, UpstreamState | AgentSyncError]:
        """What all sources of the configuration are upstream, compared with the lock."""
        requests = [request_for(each, config, lock.source(each.name)) for each in config.sources]
        return check_git(requests, self.context)

    def refetch(self, locked: LockedSource, *, policy: Policy | None = None) -> Mapping[str, Content | AgentSyncError]:
        """One locked source, without a configuration."""
        request: Request[Any, Any] = Request(locked.name, None, Limits(), policy or Policy(), locked=locked)
        return refetch_git([request], self.context)

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
