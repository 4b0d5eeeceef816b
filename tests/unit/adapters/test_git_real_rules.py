"""The real rules over smart HTTP: exactly what git itself has, at both versions."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

from agent_sync.lock import Lock
from agent_sync.sources.git import GitPin
from tests.builders.git_hosts import a_git_host
from tests.builders.git_worlds import GitWorld, git_sources
from tests.builders.repositories import GitRepository
from tests.real.git_http import serve_git
from tests.real.real_rules import the_real_rules


def _digests(repository: GitRepository, ref: str) -> dict[str, str]:
    """Path -> sha256 of its content, by git's own archive."""
    words = ["git", "archive", "--format=tar", ref]
    archive = subprocess.run(words, cwd=repository.path, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [member for member in tar if member.isfile()]
        contents = {member.name: tar.extractfile(member) for member in members}
        return {name: hashlib.sha256(file.read()).hexdigest() for name, file in contents.items() if file is not None}


def test_both_versions_are_locked_as_git_has_them(tmp_path: Path) -> None:
    repository = the_real_rules(tmp_path / "rules.git")
    with serve_git(tmp_path) as server:
        world = GitWorld(a_git_host(tmp_path))
        old = world.locked(git_sources("name: rules, ref: v1.0.0", repo=server.url("rules.git")))
        new = world.locked(git_sources("name: rules, ref: v2.0.0", repo=server.url("rules.git")), Lock((old,)))
    for locked, tag in ((old, "v1.0.0"), (new, "v2.0.0")):
        assert isinstance(locked.pin, GitPin)
        assert locked.pin.commit == repository.resolve(f"{tag}^{{commit}}")
        assert locked.pin.tree == repository.resolve(f"{tag}^{{tree}}")
        assert {path: entry.sha256 for path, entry in locked.tree.items()} == _digests(repository, tag)
    assert (len(old.tree), len(new.tree)) == (726, 818)


def test_a_narrow_source_takes_a_part_of_the_same_tree(tmp_path: Path) -> None:
    the_real_rules(tmp_path / "rules.git")
    with serve_git(tmp_path) as server:
        outcomes = GitWorld(a_git_host(tmp_path)).resolve(
            git_sources(
                "name: agents, ref: v2.0.0, paths: [agents/]",
                "name: skills, ref: v2.0.0, paths: [skills/], root: skills/",
                repo=server.url("rules.git"),
            )
        )
        assert server.fetches == 2
    trees = {name: outcome.tree for name, outcome in outcomes.items() if hasattr(outcome, "tree")}
    assert all(path.startswith("agents/") for path in trees["agents"])
    assert not any(path.startswith("skills/") for path in trees["skills"])
    assert len(trees["agents"]) > 200
    assert len(trees["skills"]) > 200
