"""`cosign` 3, built by .ci/go-tools: another maker and reader of the same keys and signatures."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.components import require

PASS_PHRASE = b"correct horse"
"""What opens every private key that `Cosign` reads and writes."""


@dataclass(frozen=True, slots=True)
class Cosign:
    """The program, run in `directory`; files are named relative to it."""

    program: Path
    directory: Path

    def run(self, *words: str) -> str:
        """What it says, on both streams; AssertionError if it fails."""
        ended = self._run(words)
        assert ended.returncode == 0, f"cosign {' '.join(words)}\n{ended.stdout}{ended.stderr}"
        return ended.stdout + ended.stderr

    def refuses(self, *words: str) -> str:
        """What it says on failing; AssertionError if it succeeds."""
        ended = self._run(words)
        assert ended.returncode == 1, f"cosign {' '.join(words)}\n{ended.stdout}{ended.stderr}"
        return ended.stderr

    def write(self, name: str, content: bytes) -> str:
        """The name again, of a file with this content."""
        (self.directory / name).write_bytes(content)
        return name

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self.directory / name).read_bytes()

    def _run(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "COSIGN_PASSWORD": PASS_PHRASE.decode(),
            "HTTPS_PROXY": "http://127.0.0.1:9",  # nobody: a program that is not Python would not stay on loopback
            "NO_PROXY": "127.0.0.1",
        }
        return subprocess.run(
            [self.program, *words],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def a_cosign(directory: Path) -> Cosign:
    """`cosign`, run in `directory`; where it is not installed the test does not run."""
    return Cosign(require("cosign"), directory)
