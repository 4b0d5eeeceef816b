"""A locked project with one of everything that a lock can hold, and the flakes that read such locks."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from agent_sync import Project, open_project
from agent_sync.documents import emit, read_document
from agent_sync.errors import LockInvalid
from tests.architecture.tree import ROOT
from tests.builders.environment import a_clean_environment
from tests.builders.repositories import Content, Executable, a_git_repository
from tests.builders.trees import sha256

SYSTEM = f"{platform.machine()}-linux"
POLICY = b"- No secrets.\n"
_RULES: Mapping[str, Content] = {
    "core/general.md": "- Rules of {{ .project }}.\n",
    "core/security.md": "- Never print a secret.\n",
    "core/tools/run.sh": Executable("#!/bin/sh\necho ran\n"),
    "elsewhere.md": "not locked\n",
}
_OWN = {"naming.md": "- Whole words.\n", "deep/naïve file's.md": "- Names are UTF-8.\n", "docs/drafts/no.md": "- No.\n"}
WRITTEN = (".claude", ".cursor", ".custom", "naming.md")
"""What `sync` makes at the top of the project."""
_CONFIG = """\
version: 1
variables: {{project: harbour}}
security: {{protocols: [file, http]}}
sources:
  - {{name: rules, type: git, repo: "{repo}", ref: main, root: core/}}
  - {{name: policy, type: url, url: "{url}", checksum: "sha256:{checksum}"}}
  - {{name: own, type: local, path: ./agents/}}
  - {{name: one, type: local, path: ./agents/naming.md}}
targets:
  - {{source: rules, tools: [cursor, claude-code]}}
  - {{source: policy, tools: [cursor]}}
  - {{source: own, destination: .custom/}}
  - {{source: one, destination: ./}}
transforms:
  - {{source: rules, type: template, include: [general.md]}}
overrides:
  - {{target: .claude/security.md, strategy: append, file: extension.md}}
"""


@dataclass(frozen=True)
class NixProject:
    """The project, locked and synced; its `repository` may be removed, and then nothing is left upstream but itself."""

    directory: Path
    repository: Path
    environment: Mapping[str, str]

    @property
    def lock(self) -> Path:
        return self.directory / "agent-sync.lock"

    @property
    def store(self) -> Path:
        """The store of agent-sync: a cache that Nix can read."""
        return Path(self.environment["AGENT_SYNC_CACHE"])

    @property
    def data(self) -> dict[str, Any]:
        """What the lock says."""
        return read_document(self.lock.read_bytes(), file="lock", error=LockInvalid, max_bytes=1 << 20).data

    def opened(self, **variables: str) -> Project:
        """The library's face of it; `variables` are those of the Nix that it is to see."""
        return open_project(str(self.directory), no_inherit=True, environment={**self.environment, **variables})

    def outputs(self) -> dict[str, tuple[bytes, bool]]:
        """What `sync` wrote: each file's bytes, and whether it may be run."""
        written = (str(action.path) for action in self.opened().sync(dry_run=True).plan.actions)
        assert not list(written), "it is synced"
        return files_below(self.directory, *WRITTEN)

    def copied(self, directory: Path) -> NixProject:
        """The same lock and store in another directory, for changing them; nothing that was written."""
        shutil.copytree(self.directory, directory / "project", ignore=shutil.ignore_patterns(".*", "naming.md"))
        shutil.copytree(self.directory / "agents", directory / "project" / "agents", dirs_exist_ok=True)
        shutil.copytree(self.store, directory / "store", symlinks=True)
        environment = {**self.environment, "AGENT_SYNC_CACHE": str(directory / "store"), "HOME": str(directory)}
        return NixProject(directory / "project", self.repository, environment)

    def relock(self, **changes: Any) -> None:  # noqa: ANN401  # whatever a lock may say
        """The lock says something else at its top level."""
        self.lock.write_text(emit({**self.data, **changes}))


def a_nix_project(directory: Path, url: str) -> NixProject:
    """A project below `directory`; its policy is served under that address while it is locked."""
    repository = a_git_repository(directory / "upstream", _RULES)
    project = directory / "project"
    for path, text in _OWN.items():
        place = project / "agents" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (project / "extension.md").write_text("- And this.\n")
    (project / "agent-sync.yaml").write_text(
        _CONFIG.format(repo=repository.path.as_uri(), url=url, checksum=sha256(POLICY))
    )
    (directory / "home").mkdir()
    environment = {**a_clean_environment(directory / "home", os.environ), "AGENT_SYNC_CACHE": str(directory / "cache")}
    locked = NixProject(project, repository.path, environment)
    with locked.opened() as opened:
        opened.update().raise_failures()
        opened.sync()
    return locked


def files_below(directory: Path, *names: str) -> dict[str, tuple[bytes, bool]]:
    """Every file in the directory, or in what of it is named: its bytes, and whether it may be run."""
    tops = [directory / name for name in names] or [directory]
    found = (file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*"))) if file.is_file())
    return {str(file.relative_to(directory)): (file.read_bytes(), bool(file.stat().st_mode & 0o100)) for file in found}


def a_stub_of_nixpkgs(directory: Path) -> Path:
    """The tests' own nixpkgs, as a flake in `directory`, made of this machine's programs and this very Python."""
    shutil.copytree(ROOT / "tests" / "nix" / "stub", directory)
    shutil.copy(ROOT / "pyproject.toml", directory)
    (directory / "programs.nix").write_text(f'{{ python = "{sys.executable}"; }}\n')
    return directory


def a_flake(directory: Path, project: NixProject, outputs: str) -> str:
    """The reference of a flake without inputs that has the lock in `project/`; `outputs` is an attribute set, in which
    `lib`, `pkgs` and `lockFile` are at hand.
    """
    shutil.copytree(ROOT / "nix", directory / "nix")
    a_stub_of_nixpkgs(directory / "stub")
    shutil.copytree(project.directory, directory / "project", ignore=shutil.ignore_patterns(".agent-sync"))
    (directory / "flake.nix").write_text(
        dedent(
            """\
            {{
              outputs = _:
                let
                  lib = import ./nix/lib.nix;
                  pkgs = import ./stub/packages.nix "{system}";
                  lockFile = ./project/agent-sync.lock;
                in {outputs};
            }}
            """
        ).format(system=SYSTEM, outputs=outputs)
    )
    return f"path:{directory}"
