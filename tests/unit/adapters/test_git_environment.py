"""What git is held to by the environment that it gets: the program itself says so."""

from __future__ import annotations

import os
from pathlib import Path

from agent_sync.adapters.git.environment import GitAddress, InstalledGit, find_git
from agent_sync.adapters.program import Bounds, Completed, run
from tests.builders.repositories import GitRepository, a_git_repository


def git(directory: Path, address: GitAddress, repository: GitRepository, *argv: str) -> Completed:
    """What git does with these arguments in the repository, held to the protocol of `address`."""
    empty = directory / "empty"
    empty.mkdir(exist_ok=True)
    found = find_git({"PATH": os.environ["PATH"], "HOME": str(empty)}, str(empty))
    assert isinstance(found, InstalledGit)
    environment = found.environment(address, str(repository.path))
    return run((found.program, *argv), Bounds("git", 30.0), environment=environment, directory=str(empty))


def test_only_the_protocol_of_the_address_is_allowed(tmp_path: Path) -> None:
    rules = a_git_repository(tmp_path / "rules.git", {"a.md": "a\n"})
    elsewhere = f"file://{rules.path}"
    allowed = git(tmp_path, GitAddress(elsewhere, "file"), rules, "ls-remote", elsewhere)
    assert allowed.exit_code == 0
    refused = git(tmp_path, GitAddress("https://host.test/rules", "https"), rules, "ls-remote", elsewhere)
    assert refused.exit_code != 0
    assert "transport 'file' not allowed" in refused.stderr


def test_an_object_is_not_replaced_by_what_a_ref_says(tmp_path: Path) -> None:
    rules = a_git_repository(tmp_path / "rules.git", {"a.md": "true\n", "b.md": "forged\n"})
    true, forged = (rules.resolve(f"main:{name}") for name in ("a.md", "b.md"))
    rules.git("replace", true, forged)
    shown = git(tmp_path, GitAddress(f"file://{rules.path}", "file"), rules, "cat-file", "blob", true)
    assert shown.output == b"true\n"
