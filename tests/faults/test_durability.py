"""What must outlive a power cut: every rename is preceded by fsync of the file and followed by fsync of its directory.

One recorder for store, replacing, recovery, and archive: strace tells each call with the paths of its descriptors.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent_sync.apply.transaction import JOURNAL
from tests.faults.durable_driver import KILLED
from tests.real.components import require

_ROOT = Path(__file__).resolve().parents[2]
_CALLS = "openat,write,pwrite64,fsync,syncfs,rename,renameat,renameat2,linkat,unlink,unlinkat"
_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\S+)")
_DESCRIPTOR = re.compile(r"^\d+<(?P<path>[^>]*)>")
_AT = re.compile(r'(?:(?P<at>AT_FDCWD|\d+)<(?P<directory>[^>]*)>, )?"(?P<name>[^"]*)"')


@dataclass
class Recorder:
    """What is not on the disk yet: files that were written, and directories in which names were given."""

    below: str
    unflushed: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    renames: int = 0
    faults: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """One line of strace."""
        call = _CALL.match(line)
        if call is None or call["result"].startswith("-"):
            return
        name, arguments = call["name"], call["arguments"]
        if name in ("write", "pwrite64"):
            self._written(_path(arguments))
        elif name == "fsync":
            self.unflushed.discard(_path(arguments))
            self.unnamed.discard(_path(arguments))
        elif name == "syncfs":
            self.unflushed.clear()
            self.unnamed.clear()
        elif name.startswith("rename") or name == "linkat":
            old, new = (os.path.join(found["directory"] or "", found["name"]) for found in _AT.finditer(arguments))
            self._renamed(os.path.normpath(old), os.path.normpath(new))
        elif name.startswith("unlink") and f'{JOURNAL.rpartition("/")[2]}"' in arguments:
            self.faults += [f"the journal is removed before {path} is on the disk" for path in self.unnamed]

    def _written(self, path: str) -> None:
        if path.startswith(self.below):
            self.unflushed.add(path)

    def _renamed(self, old: str, new: str) -> None:
        if new.startswith(self.below):
            self.renames += 1
            if old in self.unflushed:
                self.faults.append(f"{old} is renamed before it is on the disk")
            self.unnamed.add(os.path.dirname(new))


def _path(arguments: str) -> str:
    found = _DESCRIPTOR.match(arguments)
    return "" if found is None else found["path"]


def work(kind: str, directory: Path, *strace: str) -> int:
    driver = [sys.executable, "-B", "-m", "tests.faults.durable_driver", kind, str(directory)]
    environment = {"PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}", "PYTHONHASHSEED": "0"}
    return subprocess.run([*strace, *driver], cwd=_ROOT, env=environment, timeout=120).returncode


def recorded(kind: str, directory: Path, log: Path, *, ended: int = 0) -> Recorder:
    tracing = (str(require("strace")), "-f", "-y", "-qqq", "-s", "4096", "-e", f"trace={_CALLS}", "-o", str(log))
    assert work(kind, directory, *tracing) == ended
    recorder = Recorder(f"{directory}/")
    for line in log.read_text(errors="replace").splitlines():
        recorder.hear(line)
    return recorder


@pytest.mark.parametrize("kind", ["store", "replacing", "recovery", "archive"])
def test_a_rename_comes_after_fsync_of_the_file_and_before_fsync_of_its_directory(tmp_path: Path, kind: str) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    if kind == "recovery":
        assert work("interrupt", directory) == KILLED
    recorder = recorded(kind, directory, tmp_path / "log")
    assert recorder.renames > 0
    assert recorder.faults == []
    assert {path for path in recorder.unnamed if os.path.isdir(path)} == set()  # what is gone needs no flush


def test_what_is_staged_is_on_the_disk_before_the_first_target_changes(tmp_path: Path) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    recorder = recorded("interrupt", directory, tmp_path / "log", ended=KILLED)
    assert recorder.renames > 0
    assert [fault for fault in recorder.faults if "is renamed before" in fault] == []
