"""`kill -9` of a push at each request that it makes: nobody finds half a bundle, and the next push completes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from agent_sync import open_project
from agent_sync.errors import NotFound
from tests.builders.command_line import LOCAL
from tests.real.http_server import Answer, Request
from tests.real.registry_double import serve_double

_ROOT = Path(__file__).resolve().parents[2]


def test_killed_at_any_request_a_push_leaves_no_half_bundle_at_the_tag(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("a", "b"):
        (project / "rules").mkdir(parents=True, exist_ok=True)
        (project / f"rules/{name}.md").write_text(f"{name}\n" * 100)
    (project / "agent-sync.yaml").write_text(LOCAL)
    opened = open_project(str(project), environment={"HOME": f"{project}-home"})
    opened.update()
    asked: Counter[str] = Counter()

    def kill(request: Request) -> Answer | None:
        """The n-th request of the n-th process is its last; it is answered, and nobody hears that."""
        repository = request.path.split("/")[2]
        asked[repository] += 1
        if repository.startswith("at-") and asked[repository] == int(repository[3:]):
            os.kill(int((project / f"{repository}.pid").read_text()), signal.SIGKILL)
        return None

    with serve_double(instead=kill) as double:
        _drive(project, double.host, "whole")
        requests = asked["whole"]
        assert requests > 10
        repositories = [f"at-{number}" for number in range(1, requests + 1)]
        _drive(project, double.host, *repositories)
        tagged = [_pull(tmp_path / each, f"{double.host}/{each}/agents:v1") for each in repositories]
        assert tagged[0] is False
        assert tagged[-1] is True  # the last request is the one that moves the tag, and it arrived
        assert tagged == sorted(tagged)
        for each in repositories:
            opened.push(f"{double.host}/{each}/agents:v1", name="acme/agents")
            assert _pull(tmp_path / "again" / each, f"{double.host}/{each}/agents:v1")


def _drive(project: Path, host: str, *repositories: str) -> None:
    words = [sys.executable, "-B", "-m", "tests.faults.pushing_driver", str(project), host, *repositories]
    paths = {"PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}", "PATH": os.environ["PATH"]}
    subprocess.run(words, check=True, cwd=_ROOT, env=paths, timeout=120)


def _pull(directory: Path, place: str) -> bool:
    """Whether there is a bundle; if there is one, it is whole."""
    directory.mkdir(parents=True)
    receiver = open_project(str(directory), environment={"HOME": f"{directory}-home"})
    try:
        receiver.pull(place, name="acme/agents", write_lock=True, allow_unsigned=True)
    except NotFound:
        return False
    receiver.sync(frozen=True)
    assert (directory / ".cursor/rules/b.md").read_text() == "b\n" * 100
    return True
