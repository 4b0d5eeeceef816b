"""What the benchmarks work on: trees, projects and repositories in memory (tmpfs), made once and removed at the end."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.measuring import Command, run
from tests.builders.environment import a_clean_environment

ROOT = Path(__file__).parents[2]

_BLOCK = 1 << 20
_WORDS = ("always", "never", "prefer", "avoid", "tests", "names", "errors", "the", "of", "in", "and", "is", "review")
_INSTALLED = Path(sys.executable).parent / "agent-sync"
AGENT_SYNC = (str(_INSTALLED),) if _INSTALLED.exists() else (sys.executable, "-m", "agent_sync")


class Room:
    """A directory for one run of the benchmarks. `scale` shrinks every input; `servers` stop when the room closes."""

    def __init__(self, path: Path, scale: float) -> None:
        self.path = path
        self.scale = scale
        self.servers = contextlib.ExitStack()
        self.environment = a_clean_environment(path / "home", os.environ)

    def scaled(self, amount: int) -> int:
        """`amount` at this scale, at least 1."""
        return max(1, round(amount * self.scale))

    def command(self, *words: str, cwd: Path | None = None, **variables: str) -> Command:
        """Any program, on a machine without settings."""
        return Command(words, cwd or self.path, {**self.environment, **variables})

    def agent_sync(self, *words: str, project: Path | None = None, cache: Path | None = None) -> Command:
        """Ours, with a cache of its own or that of the room."""
        variables = {} if cache is None else {"AGENT_SYNC_CACHE": str(cache)}
        return self.command(*AGENT_SYNC, *words, cwd=project, **variables)

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The input called `name`; made the first time somebody asks for it."""
        place = self.path / name
        if not place.exists():
            place.mkdir()
            make(place)
        return place

    def tree(self, files: int, *, size: int = 2_000) -> Path:
        """`files` different text files of `size` bytes, 1,000 below each of `00/`, `01/`, ..., 100 to a directory."""
        return self.once(f"tree-{files}-{size}", lambda place: _write_files(place, files, size))

    def repository(self, files: int) -> Path:
        """A bare, packed repository with one commit of such a tree."""

        def make(place: Path) -> None:
            tree = self.tree(files)
            inside = ("git", f"--git-dir={place}", f"--work-tree={tree}")
            run(self.command("git", "init", "--quiet", "--bare", "--initial-branch=main", str(place)))
            run(self.command(*inside, "add", "--all", cwd=tree))
            run(self.command(*inside, *_AUTHOR, "commit", "--quiet", "--message=all", cwd=tree))
            run(self.command("git", f"--git-dir={place}", "repack", "-adq"))

        return self.once(f"repository-{files}.git", make)

    def synced(self, files: int) -> Path:
        """A project whose one git source of `files` files is locked and written, and that git has committed."""

        def make(project: Path) -> None:
            declare(project, git_source(str(self.repository(files))))
            run(self.agent_sync("update", "--yes", project=project))
            run(self.agent_sync("sync", project=project))
            commit(self, project)
            time.sleep(1)  # a file as young as the look at it is looked at again: git's rule as well as ours

        return self.once(f"synced-{files}", make)


@contextlib.contextmanager
def a_room(scale: float) -> Iterator[Room]:
    """An empty room on tmpfs, if there is one; on a disk, creating files after a deletion can take 20 times as long."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="agent-sync-bench-", dir=memory if memory.is_dir() else None))
    room = Room(path, scale)
    (path / "home").mkdir()
    try:
        with contextlib.redirect_stderr(io.StringIO()), room.servers:  # a server's log is for a test that failed
            yield room
    finally:
        shutil.rmtree(path)


_AUTHOR = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")


def commit(room: Room, project: Path) -> None:
    """The project is from now on a git repository with one commit of everything."""
    run(room.command("git", "init", "--quiet", cwd=project))
    run(room.command("git", "add", "--all", cwd=project))
    run(room.command("git", *_AUTHOR, "commit", "--quiet", "--message=all", cwd=project))


def git_source(repository: str, *, name: str = "tree", paths: tuple[str, ...] = ()) -> str:
    """A source of a configuration, as one line."""
    narrow = f", paths: [{', '.join(paths)}]" if paths else ""
    return f"{{name: {name}, type: git, repo: {repository}, ref: main{narrow}}}"


def local_source(directory: Path) -> str:
    """A source of a configuration, as one line: a directory beside the project."""
    return f"{{name: tree, type: local, path: {directory}, outside_root: true}}"


def declare(project: Path, *sources: str, names: tuple[str, ...] = ("tree",)) -> Path:
    """Writes the configuration; every source goes to a directory of its own. The project comes back."""
    limits = "limits: {max_file_size: 2GB, max_source_size: 4GB}"
    targets = [f"{{source: {name}, destination: out/{name}/}}" for name in names]
    lines = ["version: 1", limits, "sources:", *_items(sources), "targets:", *_items(targets)]
    project.mkdir(exist_ok=True)
    (project / "agent-sync.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return project


def write_large(path: Path, size: int) -> None:
    """A file of `size` bytes, a block at a time: what this process holds, a child would seem to hold as well."""
    with path.open("wb") as file:
        for start in range(0, size, _BLOCK):
            file.write(random.Random(f"{path.name} {start}").randbytes(min(_BLOCK, size - start)))


def sha256_of(path: Path) -> str:
    """As sha256sum has it."""
    return subprocess.check_output(["sha256sum", path], text=True).split()[0]


def _items(entries: tuple[str, ...] | list[str]) -> list[str]:
    return [f"  - {entry}" for entry in entries]


def _write_files(place: Path, files: int, size: int) -> None:
    chance = random.Random(files)
    prose = " ".join(chance.choices(_WORDS, k=_BLOCK // 5)).encode()
    for number in range(files):
        directory = place / f"{number // 1000:02}/{number // 100 % 10}"
        if number % 100 == 0:
            directory.mkdir(parents=True)
        start = chance.randrange(len(prose) - size)
        head = b"# Rule %d\n\n" % number
        (directory / f"rule-{number:06}.md").write_bytes(head + prose[start : start + size - len(head)])
