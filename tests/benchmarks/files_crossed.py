"""`python -m tests.benchmarks.files_crossed`: how many of the program's files a `sync` of one file runs through.

A reader who follows the command crosses the same files. Prints the number of files, how often the next call is in
another file, and each file with the number of calls into it. No receipt is used, and none is there.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import NoReturn

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = (str(_ROOT / "agent_sync"), str(_ROOT / "oci" / "agent_sync_oci"))
_FUNCTION = inspect.CO_OPTIMIZED  # the code of a function, not of a module or a class body
_CONFIGURATION = """\
version: 1
sources:
  - {name: own, type: local, path: agents}
targets:
  - {source: own, tools: [claude-code]}
"""


class Crossing:
    """A profile function that counts the calls into each file of the program."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.changes = 0
        self._last = ""

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count the call, unless it is the body of a module or a class, which is only being loaded."""
        path = frame.f_code.co_filename
        if event != "call" or not frame.f_code.co_flags & _FUNCTION or not path.startswith(_PACKAGES):
            return
        self.calls[path] += 1
        self.changes += path != self._last
        self._last = path


def crossed(directory: Path) -> Crossing:
    """Return what `agent-sync sync` of one local file calls, run in this process in a new project below `directory`."""
    home, project = directory / "home", directory / "project"
    (project / "agents").mkdir(parents=True)
    home.mkdir()
    (project / "agents" / "a.md").write_text("one\n", encoding="utf-8")
    (project / "agent-sync.yaml").write_text(_CONFIGURATION, encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(map(str, _import_path())),
    }
    locking = (sys.executable, "-m", "agent_sync", "--quiet", "update", "--yes")
    subprocess.run(locking, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(project)
    return _profiled_sync()


def _import_path() -> tuple[Path, Path]:
    return _ROOT, _ROOT / "oci"


def _profiled_sync() -> Crossing:
    from agent_sync.__main__ import main

    crossing = Crossing()
    leave, os._exit = os._exit, _raise_exit  # type: ignore[assignment]  # the program ends without a way back
    arguments, sys.argv = sys.argv, ["agent-sync", "--quiet", "sync"]
    threading.setprofile(crossing)
    sys.setprofile(crossing)
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        os._exit, sys.argv = leave, arguments
    return crossing


def _raise_exit(code: int) -> NoReturn:
    raise SystemExit(code)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = crossed(Path(made))
        os.chdir("/")
    print(f"{len(found.calls)} files, {found.changes} changes of file")
    for path, calls in found.calls.most_common():
        print(f"{calls:6d} {Path(path).relative_to(_ROOT)}")
