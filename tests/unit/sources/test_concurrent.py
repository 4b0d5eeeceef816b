"""A fast source is finished while the servers of slow ones still hold their answers."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from agent_sync.events import Event, SourceFinished, SourceStarted
from agent_sync.wiring import open_project
from tests.builders.repositories import a_git_repository
from tests.real.http_server import Reply, Request, serve

_GIVE_UP_S = 60.0
FAST = ("directory", "repository", "file")
SLOW = ("slow-repository", "slow-file")


class SlowAnswers:
    """An HTTP server's answers: `/fast` at once, everything else when all fast sources are finished."""

    def __init__(self) -> None:
        self._asked = threading.Semaphore(0)
        self._left = set(FAST)
        self._released = threading.Event()
        self.gave_up = False

    def answer(self, request: Request, reply: Reply) -> None:
        if request.path != "/fast.md":
            self._asked.release()
            self.gave_up |= not self._released.wait(_GIVE_UP_S)
        reply.send(200, {"Content-Length": "1"}, [b"x"])

    def observe(self, event: Event) -> None:
        """Let the fast repository begin when the slow sources wait for their servers, and these answer at the end."""
        match event:
            case SourceStarted("repository"):
                for _ in SLOW:
                    assert self._asked.acquire(timeout=_GIVE_UP_S)
            case SourceFinished(source) if source in FAST:
                self._left.discard(source)
                if not self._left:
                    self._released.set()


def test_a_fast_source_does_not_wait_for_a_slow_one(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "a\n"})
    project = tmp_path / "project"
    (project / "rules").mkdir(parents=True)
    (project / "rules" / "b.md").write_text("b\n")
    slow = SlowAnswers()
    checksum = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    with serve(slow.answer) as server:
        (project / "agent-sync.yaml").write_text(
            f"""\
version: 1
sources:
  - {{name: slow-repository, type: git, repo: {server.url}/slow.git, ref: main}}
  - {{name: slow-file, type: url, url: {server.url}/slow.md, checksum: {checksum}}}
  - {{name: repository, type: git, repo: "file://{repository.path}", ref: main}}
  - {{name: file, type: url, url: {server.url}/fast.md, checksum: {checksum}}}
  - {{name: directory, type: local, path: rules/}}
"""
        )
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AGENT_SYNC_CACHE": str(tmp_path / "cache")}
        result = open_project(str(project), observer=slow.observe, environment=environment).update(dry_run=True)
    assert set(result.failures) == {"slow-repository"}, "its server speaks no git"
    assert not slow.gave_up, "a fast source was finished only after a slow one"
