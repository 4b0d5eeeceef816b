"""Contests in which bundles travel: to a registry and back, beside skopeo, which copies the same bundle."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.inputs import Room, declare, write_large
from tests.benchmarks.measuring import Command, Contest, run
from tests.real.docker_registry import serve_docker_registry

MakeProject = Callable[[Room], Path]
"""A project with a lock, whose sources are in the store."""

_SKOPEO = ("skopeo", "--insecure-policy", "copy", "--quiet", "--all")


def one_large_file(room: Room, *, size: int) -> Path:
    """One source of one file that no compressor makes smaller."""
    count = room.scaled(size)
    tree = room.once(f"one-file-{count}", lambda place: write_large(place / "file", count))
    return _locked(room, f"one-file-{count}", tree)


def one_tree(room: Room, *, files: int) -> Path:
    """One source of many files."""
    tree = room.tree(room.scaled(files))
    return _locked(room, tree.name, tree)


def many_sources(room: Room, *, sources: int, files: int) -> Path:
    """Many sources of few files each."""
    count = room.scaled(sources)
    tree = room.tree(count * files)
    everything = sorted(path for path in tree.rglob("*") if path.is_file())

    def make(place: Path) -> None:
        for number in range(count):
            (place / str(number)).mkdir()
            for path in everything[number * files : (number + 1) * files]:
                shutil.copy(path, place / str(number))

    parts = room.once(f"sources-{count}-of-{files}", make)
    return _locked(room, parts.name, *(parts / str(number) for number in range(count)))


def pushing(room: Room, make: MakeProject) -> Contest:
    """`push` to a registry with nothing in it."""
    project, registries = make(room), _Registries(room)
    layout = _layout(room, project)

    def ours(fresh: Path) -> Command:
        return room.agent_sync("push", _reference(registries.new(fresh)), project=project)

    def theirs(fresh: Path) -> Command:
        return _skopeo_push(room, layout, _reference(registries.new(fresh)))

    return Contest(ours, theirs)


def pushing_again(room: Room, make: MakeProject) -> Contest:
    """`push` of what is there already."""
    project = make(room)
    ours, theirs = (_reference(_Registries(room).new(_directory(room))) for _ in range(2))
    run(room.agent_sync("push", ours, project=project))
    copy = _skopeo_push(room, _layout(room, project), theirs)
    run(copy)
    return Contest(lambda _: room.agent_sync("push", ours, project=project), lambda _: copy)


def pulling(room: Room, make: MakeProject) -> Contest:
    """`pull` into an empty store; skopeo into an empty layout."""
    project = make(room)
    reference = _reference(_Registries(room).new(_directory(room)))
    run(room.agent_sync("push", reference, project=project))

    def ours(fresh: Path) -> Command:
        shutil.copy(project / "agent-sync.yaml", fresh)
        words = ("pull", reference, "--allow-unsigned", "--write-lock")
        return room.agent_sync(*words, project=fresh, cache=fresh / "cache")

    def theirs(fresh: Path) -> Command:
        return room.command(*_SKOPEO, "--src-tls-verify=false", f"docker://{reference}", f"oci:{fresh / 'layout'}:v1")

    return Contest(ours, theirs)


class _Registries:
    """One registry at a time, new and empty: skopeo remembers what is in which, even in another run."""

    def __init__(self, room: Room) -> None:
        for program in ("docker-registry", "skopeo"):
            if shutil.which(program, path=room.environment["PATH"]) is None:
                raise LookupError(f"{program} is not installed")
        self._running = room.servers.enter_context(contextlib.ExitStack())

    def new(self, directory: Path) -> str:
        """Its host; the one before is gone."""
        self._running.close()
        place = directory / "registry"
        place.mkdir()
        return self._running.enter_context(serve_docker_registry(place)).host


def _reference(host: str) -> str:
    return f"{host}/team/agents:v1"


def _skopeo_push(room: Room, layout: Path, reference: str) -> Command:
    return room.command(*_SKOPEO, "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{reference}")


def _layout(room: Room, project: Path) -> Path:
    """The same bundle as skopeo likes it: packed already."""
    words = ("push", "--name", "bench/agents", "--compress", "zstd")

    def make(place: Path) -> None:
        run(room.agent_sync(*words, f"oci:{place}:v1", project=project))

    return room.once(f"{project.name}-layout", make)


def _locked(room: Room, name: str, *trees: Path) -> Path:
    names = tuple(f"source-{number}" for number in range(len(trees)))
    sources = [
        f"{{name: {source}, type: local, path: {tree}, outside_root: true}}"
        for source, tree in zip(names, trees, strict=True)
    ]

    def make(project: Path) -> None:
        declare(project, *sources, names=names)
        run(room.agent_sync("update", "--yes", project=project))

    return room.once(f"{name}-locked", make)


_numbers = itertools.count()


def _directory(room: Room) -> Path:
    return room.once(f"registry-{next(_numbers)}", lambda _: None)


LARGE: MakeProject = partial(one_large_file, size=200_000_000)
TREE: MakeProject = partial(one_tree, files=20_000)
SOURCES: MakeProject = partial(many_sources, sources=100, files=20)
