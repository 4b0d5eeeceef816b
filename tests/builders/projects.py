"""A project in memory: `a_project({"agent-sync.yaml": ...})` is the engine on fakes alone; no disk, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Any

from agent_sync.config import Environment, discover
from agent_sync.errors import FileSystemError, NetworkError
from agent_sync.events import Event, Warned
from agent_sync.limits import LimitKey, limit_exceeded
from agent_sync.ports import Cancellation, Command, Directory, Finished, World
from agent_sync.project import Project
from agent_sync.tree import RelPath
from tests.builders.directories import files_of
from tests.builders.stores import StoppedClock
from tests.fakes.directory import MemoryDirectory
from tests.fakes.git import MemoryGit, MemorySignatures
from tests.fakes.nix import MemoryNix
from tests.fakes.registries import MemoryRegistries
from tests.fakes.store import MemoryStore

ROOT = "/project"


@contextmanager
def scratch() -> Iterator[Directory]:
    """A directory in memory for as long as it is needed."""
    yield MemoryDirectory("/scratch")


@dataclass
class MemoryWeb:
    """Implements `ports.Fetcher`: addresses and what they serve; `asked` has every request."""

    served: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
        size_key: LimitKey = "max_file_size",
    ) -> None:
        del timeout_s
        cancellation.check()
        self.asked.append(url)
        if url not in self.served:
            raise NetworkError(subject=url, check="the server answered 404", remedy="correct the address")
        if len(self.served[url]) > max_bytes:
            raise limit_exceeded(size_key, subject=url, check=f"more than {max_bytes} bytes")
        write(self.served[url])


class NoRunner:
    """Implements `ports.Runner` where no command may run."""

    def run(self, command: Command, *, cancellation: Cancellation) -> Finished:
        cancellation.check()
        raise AssertionError(f"nothing should run, but this did: {command.argv}")


@dataclass
class MemoryProject:
    """What a test puts in (`directory`, `git`, `web`, `layers` by absolute path) and what came out (`events`)."""

    directory: MemoryDirectory = field(default_factory=lambda: MemoryDirectory(ROOT))
    git: MemoryGit = field(default_factory=MemoryGit)
    web: MemoryWeb = field(default_factory=MemoryWeb)
    registries: MemoryRegistries = field(default_factory=MemoryRegistries)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(scratch))
    layers: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    offline: bool = False

    def project(self, **options: Any) -> Project:  # noqa: ANN401  # those of `discover`
        """The library's face of it; options are `config`, `lockfile`, `no_inherit`."""
        environment = Environment(cwd=ROOT, home="/home", variables=self.variables)
        world = World(
            project=self.directory,
            store=self.store,
            roots=self.store,
            records=self.store,
            scratch=self.store.scratch,
            git=self.git,
            fetcher=self.web,
            registries=self.registries,
            runner=NoRunner(),
            signatures=MemorySignatures(),
            nix=MemoryNix(self._at),
            clock=StoppedClock(),
            at=self._at,
            read_file=self._read_file,
            observer=self.events.append,
            offline=self.offline,
        )
        return Project(world, discover(environment, **options))

    def another_checkout(self) -> MemoryProject:
        """A second machine's clone: what is committed, and neither outputs nor state; the store is its own."""
        other = replace(self, directory=MemoryDirectory(ROOT), store=MemoryStore(scratch), events=[])
        for path in self.committed():
            other.directory.put(path, self.read(path))
        return other

    def committed(self) -> list[str]:
        """Every file but outputs in dot directories and our own state."""
        return [path for path in files_of(self.directory) if not path.startswith(".")]

    def put(self, path: str, content: str | bytes) -> None:
        self.directory.put(path, dedent(content) if isinstance(content, str) else content)

    def read(self, path: str) -> str:
        with self.directory.open(RelPath(path)) as file:
            return file.read().decode()

    @property
    def lock(self) -> str:
        return self.read("agent-sync.lock")

    @property
    def files(self) -> dict[str, str]:
        """Every file of the project with its text."""
        return files_of(self.directory)

    @property
    def outputs(self) -> dict[str, str]:
        """Every file in a dot directory that is not our own state."""
        return {p: t for p, t in files_of(self.directory).items() if p[0] == "." and not p.startswith(".agent-sync/")}

    @property
    def warnings(self) -> list[str]:
        """The rules of all warnings so far."""
        return [event.rule for event in self.events if isinstance(event, Warned)]

    def _at(self, path: str) -> Directory:
        if path == ROOT:
            return self.directory
        if path.startswith(f"{ROOT}/"):
            return self.directory.below(RelPath(path.removeprefix(f"{ROOT}/")))
        raise FileSystemError(subject=path, check="there is no such directory")

    def _read_file(self, path: str) -> bytes | None:
        if not path.startswith(f"{ROOT}/"):
            return self.layers.get(path)
        name = RelPath(path.removeprefix(f"{ROOT}/"))
        return None if self.directory.stat(name) is None else self.read(name).encode()


def a_project(files: Mapping[str, str]) -> MemoryProject:
    """A project with these files; texts are dedented."""
    project = MemoryProject()
    for path, text in files.items():
        project.put(path, text)
    return project


def a_local_project(config: str = "", *, rules: Mapping[str, str] | None = None) -> MemoryProject:
    """A project with one local source `rules` for cursor; `config` is added to its configuration."""
    project = a_project({f"rules/{path}": text for path, text in (rules or {"a.md": "a\n"}).items()})
    project.put("agent-sync.yaml", LOCAL + dedent(config))
    return project


LOCAL = """\
version: 1
sources:
  - {name: rules, type: local, path: ./rules/}
targets:
  - {source: rules, tools: [cursor]}
"""
