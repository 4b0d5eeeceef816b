"""Contests in which files arrive: from a server or a directory into the store, from the store into a project."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks.inputs import ROOT, Room, declare, git_source, local_source, sha256_of, write_large
from tests.benchmarks.measuring import Command, Contest, Side, run
from tests.real.git_http import serve_git
from tests.real.http_server import Reply, Request, serve

_PIECE = 1 << 18


def cloning(room: Room, files: int, *, paths: tuple[str, ...] = ()) -> Contest:
    """`update` into an empty store, against a shallow clone; both over smart HTTP."""
    url = _served(room, room.repository(room.scaled(files)))
    return _against_clone(room, url, git_source(url, paths=paths))


def cloning_real_rules(room: Room) -> Contest:
    """The same on the bundle that REAL_RULES names. Raises LookupError without it."""
    bundle = room.environment.get("REAL_RULES")
    if bundle is None:
        raise LookupError("REAL_RULES names no bundle")
    place = room.path / "rules.git"
    run(room.command("git", "clone", "--quiet", "--bare", str(Path(bundle).absolute()), str(place)))
    url = _served(room, place)
    return _against_clone(room, url, git_source(url).replace("ref: main", "ref: HEAD"))


def many_sources(room: Room, files: int, sources: int) -> Contest:
    """Sources of a thousand files each, at most `sources` of them, against one source of their whole repository."""
    count = room.scaled(files)
    url = _served(room, room.repository(count))
    names = tuple(f"part-{number:02}" for number in range(min(sources, -(-count // 1000))))
    parts = [git_source(url, name=name, paths=(f"{number:02}/",)) for number, name in enumerate(names)]
    return Contest(_first_update(room, *parts, names=names), _first_update(room, git_source(url)))


def downloading(room: Room, size: int) -> Contest:
    """`update` of one large file into an empty store, against curl."""
    url, source = _served_file(room, size)
    return Contest(
        _first_update(room, source),
        lambda fresh: room.command("curl", "--silent", "--fail", "-o", str(fresh / "file"), url),
    )


def writing_a_download(room: Room, size: int) -> Contest:
    """The first `sync` of such a file out of the store, against copying it."""
    _, source = _served_file(room, size)

    def locked(project: Path) -> None:
        declare(project, source)
        run(room.agent_sync("update", "--yes", project=project))

    project = room.once("large-download", locked)
    return Contest(
        _first_sync(room, project),
        lambda fresh: room.command("cp", "-r", str(room.path / "large"), str(fresh / "copy")),
    )


def writing(room: Room, files: int) -> Contest:
    """The first `sync` of a locked project, all or nothing, against copying the same files."""
    count = room.scaled(files)
    synced = room.synced(count)
    return Contest(
        _first_sync(room, synced), lambda fresh: room.command("cp", "-r", str(synced / "out"), str(fresh / "copy"))
    )


def growing(room: Room, few: int, many: int) -> Contest:
    """The first `sync` of many files, against that of a tenth of them."""
    return Contest(_first_sync(room, room.synced(room.scaled(many))), _first_sync(room, room.synced(room.scaled(few))))


def packing(room: Room, files: int) -> Contest:
    """A directory read, hashed, packed and stored, inside a process, against tar and zstd, which hash nothing."""
    tree = room.tree(room.scaled(files))
    words = (sys.executable, "-m", "tests.benchmarks.directory_packing", str(tree))

    def ours(fresh: Path) -> Command:
        return Command(words, ROOT, {**room.environment, "AGENT_SYNC_CACHE": str(fresh / "cache")}, reports=True)

    return Contest(ours, _packing_beside(room, tree))


def updating_a_directory(room: Room, files: int) -> Contest:
    """The whole `update` of such a directory, its lock and all, against the same."""
    tree = room.tree(room.scaled(files))
    return Contest(_first_update(room, local_source(tree)), _packing_beside(room, tree))


def large_sources(room: Room, *, verb: str, files: int, size: int) -> Contest:
    """`update`, or the first `sync`, of few large files: what counts is the memory."""

    def make(place: Path) -> None:
        for number in range(files):
            write_large(place / f"{number:02}.bin", room.scaled(size))

    source = local_source(room.once("large-files", make))
    if verb == "update":
        return Contest(_first_update(room, source))

    def locked(project: Path) -> None:
        declare(project, source)
        run(room.agent_sync("update", "--yes", project=project))

    return Contest(_first_sync(room, room.once("large-locked", locked)))


def _packing_beside(room: Room, tree: Path) -> Side:
    if shutil.which("zstd", path=room.environment["PATH"]) is None:
        raise LookupError("zstd is not installed")
    script = 'tar -C "$1" -cf - . | zstd -q -3 -T0 -o "$2"'
    return lambda fresh: room.command("sh", "-c", script, "sh", str(tree), str(fresh / "tree.tar.zst"))


def _served_file(room: Room, size: int) -> tuple[str, str]:
    """A large file, made once: where it is served, and a source of it."""
    large = room.once("large", lambda place: write_large(place / "file", room.scaled(size))) / "file"
    url = f"{room.servers.enter_context(serve(partial(_send_file, large))).url}/file"
    return url, f"{{name: tree, type: url, url: {url}, checksum: sha256:{sha256_of(large)}}}"


def _against_clone(room: Room, url: str, source: str) -> Contest:
    return Contest(
        _first_update(room, source),
        lambda fresh: room.command("git", "clone", "--quiet", "--depth=1", url, str(fresh / "clone")),
    )


def _served(room: Room, repository: Path) -> str:
    return room.servers.enter_context(serve_git(repository.parent)).url(repository.name)


def _first_update(room: Room, *sources: str, names: tuple[str, ...] = ("tree",)) -> Side:
    """`update` in a project without a lock, with an empty store."""

    def side(fresh: Path) -> Command:
        project = declare(fresh / "project", *sources, names=names)
        return room.agent_sync("update", "--yes", project=project, cache=fresh / "cache")

    return side


def _first_sync(room: Room, locked: Path) -> Side:
    """`sync` in a project that has a configuration and a lock and nothing else; the store holds everything."""

    def side(fresh: Path) -> Command:
        for name in ("agent-sync.yaml", "agent-sync.lock"):
            shutil.copy(locked / name, fresh / name)
        return room.agent_sync("sync", project=fresh)

    return side


def _send_file(path: Path, _request: Request, reply: Reply) -> None:
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
    reply.send(200, headers, _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece
