"""The real git host with scratch directories below a test's own directory, with the `git` command or as if there
were none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent_sync.adapters.git import GitSignatures, RemoteGit
from agent_sync.adapters.machine import private_directory
from agent_sync.ports import Directory

WITHOUT_GIT = {"PATH": "/nonexistent"}


class ScratchDirectories:
    """Makes the scratch directories that a blob store would; all are gone when `left` is empty."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent

    @contextmanager
    def __call__(self) -> Iterator[Directory]:
        path = tempfile.mkdtemp(prefix="scratch-", dir=self.parent)
        try:
            yield private_directory(path)
        finally:
            shutil.rmtree(path)

    @property
    def left(self) -> list[Path]:
        """The scratch directories that are still there."""
        return sorted(self.parent.glob("scratch-*"))


def a_git_host(directory: Path, environment: Mapping[str, str] | None = None) -> RemoteGit:
    """A host whose user has this test's environment, and these variables; relative addresses start in `directory`."""
    chosen = {**os.environ, **(environment or {})}
    return RemoteGit(chosen, ScratchDirectories(directory), root=str(directory))


def a_signature_checker(directory: Path, environment: Mapping[str, str] | None = None) -> GitSignatures:
    """A checker for a user with this test's environment and these variables besides."""
    return GitSignatures({**os.environ, **(environment or {})}, ScratchDirectories(directory))
