"""The repository builder writes what it is told, byte for byte, including what a careful client refuses."""

from __future__ import annotations

from pathlib import Path

from tests.builders.repositories import Executable, Submodule, Symlink, a_git_repository


def test_every_kind_of_entry_is_written_with_its_mode(tmp_path: Path) -> None:
    commit = "1" * 40
    repository = a_git_repository(
        tmp_path / "r.git",
        {"plain": "a", "run.sh": Executable("b"), "link": Symlink("../away"), "module": Submodule(commit)},
    )
    listed = [line.split()[0] + " " + line.split("\t")[1] for line in repository.git("ls-tree", "HEAD").splitlines()]
    assert listed == ["120000 link", "160000 module", "100644 plain", "100755 run.sh"]
    assert repository.git("cat-file", "blob", "HEAD:link") == "../away"


def test_names_and_bytes_arrive_unchanged(tmp_path: Path) -> None:
    names = ['quo"te', "back\\slash", "new\nline", "über", "sp ace"]
    repository = a_git_repository(tmp_path / "r.git", dict.fromkeys(names, b"\x00\r\n\xff"))
    assert sorted(repository.git("ls-tree", "--name-only", "-z", "HEAD").rstrip("\0").split("\0")) == sorted(names)
    assert repository.git("cat-file", "-s", "HEAD:sp ace") == "4"


def test_a_commit_keeps_what_it_does_not_mention(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "r.git", {"a": "1", "b": "2", "c": "3"})
    repository.commit({"a": "new", "b": None})
    assert repository.git("ls-tree", "--name-only", "HEAD").split() == ["a", "c"]
    assert repository.git("cat-file", "blob", "HEAD:a") == "new"
    assert repository.git("rev-list", "--count", "HEAD") == "2"


def test_a_branch_and_a_tag_may_bear_one_name(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "r.git", {"a": "1"})
    first = repository.resolve("HEAD")
    repository.tag("same", at=first)
    repository.commit({"a": "2"}, branch="same")
    assert repository.resolve("refs/tags/same") == first
    assert repository.resolve("refs/heads/same") != first


def test_a_repository_with_a_working_tree_has_the_files_in_it(tmp_path: Path) -> None:
    a_git_repository(tmp_path / "work", {"a.md": "one\n"}, bare=False)
    assert (tmp_path / "work" / "a.md").read_text() == "one\n"
