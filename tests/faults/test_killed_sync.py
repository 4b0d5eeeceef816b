"""`kill -9` at sampled calls of a whole `sync`; the next `sync` leaves exactly what is wanted, and no stray file.

MOMENTS in the environment says how many calls are sampled; 0 means all.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from agent_sync import open_project
from tests.builders.command_line import LOCAL, snapshot
from tests.faults.injected import Injected, Moment
from tests.faults.test_apply import changing, sampled

OLD = {f"group-{number % 3}/f{number}.md": f"old {number}\n" for number in range(24)}
NEW = {name: text.replace("old", "new") for name, text in OLD.items() if "7" not in name} | {"added/x.md": "x\n"}
EDITED = ".cursor/rules/group-1/f1.md"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was synced once, edited by hand, and locked anew: files to replace, to add and to remove."""
    directory = tmp_path_factory.mktemp("original") / "project"
    _write(directory, {"agent-sync.yaml": LOCAL, **{f"rules/{name}": text for name, text in OLD.items()}})
    project = open_project(str(directory), environment={"HOME": f"{directory}-home"})
    project.update()
    project.sync()
    (directory / EDITED).write_text("mine\n")
    shutil.rmtree(directory / "rules")
    _write(directory, {f"rules/{name}": text for name, text in NEW.items()})
    project.update()
    return directory


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def test_killed_at_any_of_200_sampled_calls_the_next_sync_leaves_exactly_what_is_wanted(
    original: Path, tmp_path: Path
) -> None:
    def make(name: str) -> Path:
        for suffix in ("", "-home"):
            shutil.copytree(f"{original}{suffix}", tmp_path / f"{name}{suffix}", symlinks=True)
        return tmp_path / name

    injected = Injected(tmp_path, warm=make("warm"))
    moments = changing(injected.moments("verb", make("counted")))
    at: dict[Path, Moment] = {make(f"project-{n}"): moment for n, moment in enumerate(sampled(moments, 200))}
    assert len(at) == int(os.environ.get("MOMENTS", 200)) or os.environ["MOMENTS"] == "0"
    assert set(injected.kill("verb", at)) <= {-signal.SIGKILL, 0}
    wanted = snapshot(tmp_path / "counted" / ".cursor")
    for directory in at:
        project = open_project(str(directory), environment={"HOME": f"{directory}-home"})
        project.sync(prune=True)
        assert snapshot(directory / ".cursor") == wanted
        assert project.check(strict=True).clean
        state = {
            path.parts[0]
            for path in (p.relative_to(directory / ".agent-sync") for p in directory.glob(".agent-sync/*"))
        }
        assert state <= {".gitignore", "applied.lock", "kept", "lock"}
        kept = [path.read_text() for path in (directory / ".agent-sync/kept").rglob("*.md")]
        assert kept == ["mine\n"]
