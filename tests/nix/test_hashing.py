"""`nix hash` beside Nix: whatever lies on the disk has the same hash, and reading it costs no more system calls."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sync.adapters.nix import nar_hash
from agent_sync.errors import Cancelled, DigestMismatch, FileSystemError
from agent_sync.ports import Cancellation
from tests.architecture.tree import ROOT
from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.directories_in_memory import a_directory_in_memory
from tests.real.nix import Nix

_TREES = 5_000
_NAMES = (
    *(b"a", b"b", b"ab", b"a-b", b"a.b", b".hidden", b"Z", b"~", b"-", b"0"),
    *(b"with space", b"new\nline", b"\xff", b"\xc3\xa9", b"e\xcc\x81"),
)
_SIZES = (0, 1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 4096)


def hash_of(path: Path) -> str:
    return nar_hash(str(path), poll=lambda: None)


def a_node(place: bytes, chance: random.Random, depth: int = 0) -> None:
    """A file, a link or a directory with whatever may be in one."""
    kind = chance.random()
    if kind < 0.15:
        os.symlink(chance.choice((b"a", b"../b", b"/etc/shadow", b"\xff", b"." * 200)), place)
    elif kind < 0.6 or depth > 4:
        with open(place, "wb") as file:
            file.write(chance.randbytes(chance.choice(_SIZES)))
        os.chmod(place, chance.choice((0o644, 0o755, 0o600, 0o700, 0o654, 0o645, 0o400)))
    else:
        os.mkdir(place)
        for name in chance.sample(_NAMES, chance.randrange(4)):
            a_node(place + b"/" + name, chance, depth + 1)


def test_5000_trees_have_the_hash_that_nix_gives_them(nix: Nix) -> None:
    with a_directory_in_memory() as directory:
        places = [directory / str(number) for number in range(_TREES)]
        for number, place in enumerate(places):
            a_node(os.fsencode(place), random.Random(number))
        said = nix.run("nix", "hash", "path", *map(str, places)).out.split()
        wrong = [place.name for place, expected in zip(places, said, strict=True) if hash_of(place) != expected]
    assert wrong == []


def test_a_file_that_is_read_in_pieces_has_that_hash_too(nix: Nix, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for size in (262_143, 262_144, 262_145, 3_000_001):
        (tmp_path / "tree" / f"{size}").write_bytes(random.Random(size).randbytes(size))
    places = [tmp_path / "tree", *sorted((tmp_path / "tree").iterdir())]
    assert [hash_of(place) for place in places] == nix.run("nix", "hash", "path", *map(str, places)).out.split()


def test_a_tree_that_is_deeper_than_a_path_may_be_long_is_hashed(tmp_path: Path) -> None:
    levels, name = 400, "a-directory-name"
    with contextlib.chdir(tmp_path):
        for _ in range(levels):
            os.mkdir(name)
            os.chdir(name)
        try:
            assert hash_of(tmp_path).startswith("sha256-")
        finally:
            for _ in range(levels):
                os.chdir("..")
                os.rmdir(name)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_directory_or_link_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "thing"
    with socket.socket(socket.AF_UNIX) as listening:
        os.mkfifo(place) if kind == "fifo" else listening.bind(str(place))
        for path in (tmp_path, place):
            with pytest.raises(FileSystemError, match="not a file, directory or link"):
                hash_of(path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match="No such file"):
        hash_of(tmp_path / "nothing")


def test_a_file_that_grows_meanwhile_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "tree" / "large"
    large.parent.mkdir()
    large.write_bytes(bytes(1_000_000))

    def grow() -> None:
        with large.open("ab") as file:
            file.write(b"x")

    with pytest.raises(DigestMismatch, match="the file changed while it was read"):
        nar_hash(str(large.parent), poll=grow)


def test_hashing_can_be_cancelled(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        nar_hash(str(tmp_path), poll=cancellation.check)


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    return a_machine(tmp_path, {"rules/a.md": "- A.\n", "rules/deep/b.md": "- B.\n"})


def test_the_command_prints_it(nix: Nix, machine: CommandMachine) -> None:
    expected = nix.run("nix", "hash", "path", str(machine.project / "rules")).out
    assert machine.run("nix", "hash", "rules").out == expected
    assert machine.run("nix", "hash", str(machine.project / "rules") + "/").out == expected


def test_the_command_loads_nothing_heavy(machine: CommandMachine) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "agent_sync", "nix", "hash", str(machine.project)]
    loaded = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert "agent_sync.adapters.nix" in loaded
    assert not re.search(r"\b(typer|pydantic|yaml|httpx|rich|pygit2)\b", loaded)


def test_the_command_says_what_is_not_there(machine: CommandMachine) -> None:
    assert "No such file or directory" in machine.run("nix", "hash", "nothing", expect=17).err
