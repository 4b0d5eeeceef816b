"""Contests with Nix, which gets a store and a configuration of its own in the room."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.inputs import Room, declare, local_source
from tests.benchmarks.measuring import Command, Contest, run

_LIBRARY = Path(__file__).parents[2] / "nix" / "lib.nix"
_SETTINGS = "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n"


def hashing(room: Room, files: int) -> Contest:
    """The narHash of a directory, against Nix's own program."""
    tree = room.tree(room.scaled(files))
    theirs = _nix(room, "nix-hash", "--type", "sha256", str(tree))
    return Contest(lambda _: room.agent_sync("nix", "hash", str(tree)), lambda _: theirs, warm=True)


def evaluating(room: Room, files: int, *, cold: bool) -> Contest:
    """The sources of a lock of so many files, against `nix eval --expr 1`; `cold`: Nix has to fetch and unpack them."""
    count = room.scaled(files)

    def make(project: Path) -> None:
        declare(project, local_source(room.tree(count)))
        run(room.agent_sync("update", "--yes", project=project, cache=project / "cache"))

    project = room.once(f"nix-locked-{count}", make)
    asked = f'{{ lockFile = {project}/agent-sync.lock; cache = "file://{project}/cache"; }}'
    words = ("nix", "eval", "--json", "--impure", "--expr", f"(import {_LIBRARY}).sources {asked}")

    def ours(_: Path) -> Command:
        if cold:
            _forget(room)
        return _nix(room, *words)

    return Contest(ours, lambda _: _nix(room, "nix", "eval", "--expr", "1"), warm=True)


def _nix(room: Room, *words: str) -> Command:
    """A program of Nix. Raises LookupError without it."""
    if shutil.which(words[0], path=room.environment["PATH"]) is None:
        raise LookupError(f"{words[0]} is not installed")
    settings = room.once("nix-conf", lambda place: _write(place / "nix.conf"))
    return room.command(
        *words,
        NIX_CONF_DIR=str(settings),
        NIX_STORE_DIR=str(room.path / "nix-store"),
        NIX_STATE_DIR=str(room.path / "nix-state"),
        NIX_LOG_DIR=str(room.path / "nix-log"),
        TMPDIR=str(room.path),
    )


def _write(file: Path) -> None:
    file.write_text(_SETTINGS, encoding="utf-8")


def _forget(room: Room) -> None:
    """Nix has nothing in its store, and remembers nothing of what it fetched."""
    for place in (room.path / "nix-store", room.path / "nix-state", Path(room.environment["HOME"], ".cache", "nix")):
        for directory in (place, *place.rglob("*")) if place.exists() else ():
            if directory.is_dir() and not directory.is_symlink():
                directory.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
