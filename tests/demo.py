"""`make demo`: the main job on real files, in a temporary directory, with nothing but this repository.

The demo runs the program as a user would, prints each command and its output, and stops at the first unexpected result.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.builders.environment import a_clean_environment
from tests.builders.repositories import a_git_repository

CONFIGURATION = """\
version: 1

variables:
  project: harbour
  language: go

sources:
  - name: team-rules
    type: git
    repo: {repository}
    ref: {ref}
    paths: [core/]
    root: core/
  - name: project-rules
    type: local
    path: ./agents/

targets:
  - source: team-rules
    tools: [cursor, claude-code, copilot]
  - source: project-rules
    tools: [cursor, claude-code]

transforms:
  - source: project-rules
    type: template

overrides:
  - target: security.md
    strategy: append
    file: local/security-extension.md
"""

POLICY = """\
trust:
  rules:
    - bundle: acme/agents
      signers:
        - key: release.pub
      transparency_log: optional
"""

CORE_V1 = {
    "core/security.md": "# Security\n\n- Never print a secret.\n- Validate input where it enters.\n",
    "core/style.md": "# Style\n\n- Small functions, whole words.\n",
    "core/skills/review/SKILL.md": "# Review\n\nRead the diff twice: once for what it does, once for what it breaks.\n",
    "images/logo.txt": "not for agents\n",
}
CORE_V2 = {"core/style.md": "# Style\n\n- Small functions, whole words.\n- A test for every promise.\n"}
PROJECT = {
    "agents/project.md": "# {{ .project }}\n\nThis is a {{ .language }} project; `make test` must pass.\n",
    "local/security-extension.md": "- In this project: rotate the harbour key monthly.\n",
}


def main() -> int:
    """Return 0 if every step did what it should, and 1 after the first one that did not."""
    with tempfile.TemporaryDirectory(prefix="agent-sync-demo-") as directory:
        try:
            _Demo(Path(directory)).run()
        except _UnexpectedResultError as error:
            _say(f"\nThe demo failed: {error}")
            return 1
    _say("\nDone. Everything above happened in a temporary directory, which has been deleted.")
    return 0


class _UnexpectedResultError(Exception):
    """A step did not do what it should."""


class _Demo:
    """The steps, in order; each one prepares what the next one needs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._first = directory / "project"
        self._second = directory / "second-checkout"
        self._third = directory / "another-machine"
        home = directory / "home"
        home.mkdir()
        own = {"AGENT_SYNC_CACHE": str(directory / "cache"), "AGENT_SYNC_KEY_PASSWORD": "correct horse"}
        self._environment = {**a_clean_environment(home, os.environ), **own}

    def run(self) -> None:
        self._prepare()
        self._lock_and_sync()
        self._edit_and_restore()
        self._move_on()
        self._second_checkout()
        self._bundle()
        self._another_machine()

    def _prepare(self) -> None:
        _title("1. Declare: agent-sync.yaml says which files the agents of a project read")
        repository = a_git_repository(self._directory / "team-rules", CORE_V1)
        repository.tag("v1.0.0")
        repository.commit(CORE_V2, message="a test for every promise")
        repository.tag("v1.1.0")
        for name, text in PROJECT.items():
            _write(self._first / name, text)
        self._configure("v1.0.0")
        _say("\n--- agent-sync.yaml\n" + (self._first / "agent-sync.yaml").read_text(), end="")

    def _lock_and_sync(self) -> None:
        _title("2. Update: resolve each source and pin it in agent-sync.lock")
        self._agent_sync("update", "--yes")
        _title("3. Sync: write the locked files where each tool reads them")
        self._agent_sync("sync")
        self._show_files(self._first)
        _say("\nThe override is appended, and the variables are filled in:")
        self._show(".cursor/rules/security.md", contains="rotate the harbour key")
        self._show(".claude/project.md", contains="This is a go project")
        _title("4. Check: compare the files with the lock; status shows each source")
        self._agent_sync("check")
        self._agent_sync("status")

    def _edit_and_restore(self) -> None:
        _title("5. Edit a file by hand: check reports the edit, and diff shows it")
        edited = self._first / ".cursor/rules/style.md"
        edited.write_text(edited.read_text() + "- My own rule.\n")
        self._agent_sync("check", expect=1)
        self._agent_sync("diff", expect=1)
        _title("6. Sync again: the locked file is written, and the edit is kept; restore brings the edit back")
        self._agent_sync("sync")
        _expect("My own rule" not in edited.read_text(), "sync did not write the locked file")
        self._agent_sync("restore", ".cursor/rules/style.md")
        _expect("My own rule" in edited.read_text(), "restore did not bring the edit back")
        self._agent_sync("sync")

    def _move_on(self) -> None:
        _title("7. Follow upstream: a new ref takes effect only when update has locked it")
        self._configure("v1.1.0")
        self._agent_sync("sync", expect=4)
        self._agent_sync("update", "--yes")
        self._agent_sync("sync", "--dry-run")
        self._agent_sync("sync")
        self._show(".github/copilot/style.md", contains="A test for every promise")

    def _second_checkout(self) -> None:
        _title("8. Sync a second checkout offline: the repository is gone, but the lock and the cache are enough")
        for name in ("agent-sync.yaml", "agent-sync.lock", "agents", "local"):
            _copy(self._first / name, self._second / name)
        shutil.rmtree(self._directory / "team-rules")
        self._agent_sync("sync", "--offline", "--locked", where=self._second)
        self._agent_sync("check", "--strict", where=self._second)
        here, there = _files(self._first), _files(self._second)
        _expect(here == there, "the two checkouts differ")
        _say(f"\nBoth checkouts have the same {len(there)} files, byte for byte.")

    def _bundle(self) -> None:
        _title("9. Push a signed bundle: the lock and everything that it needs, in a directory for any OCI tool")
        self._agent_sync("keys", "generate", "--output", "../release")
        self._agent_sync("push", "oci:../bundle", "--name", "acme/agents", "--sign", "--key", "../release.key")
        self._agent_sync("bundle", "inspect", "oci:../bundle")
        _say("\nThe digests of the sources are those in the lock. Three signed statements are attached to the bundle:")
        _say("its signature, its provenance, and its bill of materials.")

    def _another_machine(self) -> None:
        _title("10. Pull on another machine: no cache, no repository, no configuration; only the bundle and a policy")
        _write(self._third / "policy.yaml", POLICY)
        _copy(self._directory / "release.pub", self._third / "release.pub")
        self._environment["AGENT_SYNC_CACHE"] = str(self._directory / "another-cache")
        words = ("oci:../bundle", "--name", "acme/agents", "--policy", "policy.yaml")
        _say("\n--- policy.yaml\n" + (self._third / "policy.yaml").read_text(), end="")
        self._agent_sync("bundle", "verify", *words, where=self._third)
        self._agent_sync("pull", *words, "--write-lock", where=self._third)
        self._agent_sync("sync", "--offline", "--frozen", "--policy", "policy.yaml", where=self._third)
        self._agent_sync("check", "--strict", where=self._third)
        _expect(_files(self._first) == _files(self._third), "the two machines differ")
        _say("\nBoth machines have the same files. The policy refuses a lock that nobody has signed:")
        _write(self._third / "agent-sync.lock", (self._third / "agent-sync.lock").read_text() + "# edited\n")
        self._agent_sync("sync", "--offline", "--frozen", "--policy", "policy.yaml", where=self._third, expect=6)

    def _configure(self, ref: str) -> None:
        text = CONFIGURATION.format(repository=self._directory / "team-rules", ref=ref)
        _write(self._first / "agent-sync.yaml", text)

    def _agent_sync(self, *words: str, expect: int = 0, where: Path | None = None) -> None:
        _say(f"\n$ agent-sync {shlex.join(words)}")
        program = [sys.executable, "-m", "agent_sync", *words]
        code = _run(program, where or self._first, self._environment)
        _expect(code == expect, f"the exit code is {code} instead of {expect}")
        if expect:
            _say(f"(exit code {code}, as expected)")

    def _show(self, name: str, *, contains: str) -> None:
        text = (self._first / name).read_text()
        _say(f"\n--- {name}\n{text}", end="")
        _expect(contains in text, f"{name} does not contain {contains!r}")

    def _show_files(self, project: Path) -> None:
        _say("".join(f"  {name}\n" for name in sorted(_files(project))), end="")


def _files(project: Path) -> Mapping[str, bytes]:
    """Return every output of the project by its path."""
    tools = (".cursor", ".claude", ".github")
    found = (path for tool in tools for path in (project / tool).rglob("*") if path.is_file())
    return {str(path.relative_to(project)): path.read_bytes() for path in found}


def _run(program: list[str], where: Path, environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    return subprocess.run(program, cwd=where, env=environment, check=False, stdin=subprocess.DEVNULL).returncode


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    if old.is_dir():
        shutil.copytree(old, new)
    else:
        shutil.copyfile(old, new)


def _expect(holds: bool, otherwise: str) -> None:  # reads like an assertion
    if not holds:
        raise _UnexpectedResultError(otherwise)


def _title(text: str) -> None:
    _say(f"\n== {text}")


def _say(text: str, *, end: str = "\n") -> None:
    sys.stdout.write(text + end)


if __name__ == "__main__":
    sys.exit(main())
