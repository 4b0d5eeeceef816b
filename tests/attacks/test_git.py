"""Repositories that hold what no honest one would (hostile-input: Git; X01 - X03, X19, X20), by either transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.errors import AgentSyncError, LimitExceeded, NetworkError, UnsafePath
from agent_sync.lock import LockedSource
from agent_sync.ports import Cancellation
from agent_sync.sources.git import GitPin
from tests.builders.git_hosts import WITHOUT_GIT, a_git_host
from tests.builders.git_objects import Line, write_commit, write_object, write_tree
from tests.builders.git_worlds import GitWorld, git_sources
from tests.builders.repositories import Content, Executable, Submodule, Symlink, a_git_repository
from tests.builders.trees import a_tree, program


@pytest.fixture(params=["git", "libgit2"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """What the user's environment has besides: with `git`, or with a PATH on which there is none."""
    return {} if request.param == "git" else WITHOUT_GIT


@pytest.fixture
def world(tmp_path: Path, environment: dict[str, str]) -> GitWorld:
    return GitWorld(a_git_host(tmp_path, environment))


def _refusal(world: GitWorld, repository: Path, *, ref: str = "main", more: str = "") -> AgentSyncError:
    """The error that resolving ends with; nothing of the repository is in the store."""
    (outcome,) = world.resolve(git_sources(f"name: rules, ref: {ref}{more}", repo=str(repository))).values()
    assert isinstance(outcome, AgentSyncError)
    assert outcome.subject.startswith("source rules")
    assert outcome.remedy
    assert world.store.blobs == {}
    return outcome


HOSTILE_TREES = {
    "parent directory": ("40000", b".."),
    "this directory": ("40000", b"."),
    "git's own directory": ("40000", b".git"),
    "git's own directory in capitals": ("40000", b".GIT"),
    "git's own directory as Windows shortens it": ("40000", b"git~1"),
    "git's own directory with an invisible character": ("40000", ".g\u200cit".encode()),
    "a name with a slash": ("100644", b"a/../../b"),
    "an absolute name": ("100644", b"/etc/cron.d/x"),
    "a backslash": ("100644", b"..\\x"),
    "a line break": ("100644", b"a\nb"),
    "no UTF-8": ("100644", b"\xff"),
    "a device": ("100644", b"aux.md"),
}


@pytest.mark.parametrize(("mode", "name"), HOSTILE_TREES.values(), ids=HOSTILE_TREES.keys())
def test_a_tree_with_a_name_that_is_not_allowed_is_refused(
    tmp_path: Path, world: GitWorld, mode: str, name: bytes
) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"x")
    below = write_tree(repository, [("100644", b"config", blob)]) if mode == "40000" else blob
    write_commit(repository, write_tree(repository, [(mode, name, below)]))
    assert isinstance(_refusal(world, repository), UnsafePath)


def test_a_tree_that_has_a_name_twice_is_refused(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    good, evil = write_object(repository, "blob", b"good"), write_object(repository, "blob", b"evil")
    write_commit(repository, write_tree(repository, [("100644", b"a.md", good), ("100644", b"a.md", evil)]))
    assert isinstance(_refusal(world, repository), UnsafePath)


def test_a_file_that_is_also_a_directory_is_refused(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"x")
    below = write_tree(repository, [("100644", b"b.md", blob)])
    write_commit(repository, write_tree(repository, [("100644", b"a", blob), ("40000", b"a", below)]))
    assert isinstance(_refusal(world, repository), UnsafePath)


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"Rules.md": "1", "rules.md": "2"})
    assert isinstance(_refusal(world, repository.path), UnsafePath)


def test_a_tree_that_is_no_tree_is_refused(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"100644 a.md\0" + b"\1" * 20)
    write_commit(repository, write_tree(repository, [("40000", b"core", blob)]))
    assert isinstance(_refusal(world, repository), NetworkError)


@pytest.mark.parametrize("leaf", ["files", "nothing"])
def test_a_few_trees_that_list_more_files_than_there_are_atoms_end_soon(
    tmp_path: Path, world: GitWorld, leaf: str
) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"x")
    lines: list[Line] = [("100644", b"f%d" % number, blob) for number in range(10)] if leaf == "files" else []
    tree = write_tree(repository, lines)
    for _ in range(12):
        tree = write_tree(repository, [("40000", b"d%d" % number, tree) for number in range(10)])
    write_commit(repository, tree)
    assert isinstance(_refusal(world, repository), LimitExceeded)


def test_a_path_deeper_than_any_file_system_allows_is_refused(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    tree = write_tree(repository, [("100644", b"a.md", write_object(repository, "blob", b"x"))])
    for _ in range(2100):
        tree = write_tree(repository, [("40000", b"d", tree)])
    write_commit(repository, tree)
    assert isinstance(_refusal(world, repository), UnsafePath)


def test_x01_a_link_out_of_the_repository_is_never_followed(tmp_path: Path, world: GitWorld) -> None:
    (tmp_path / "secret").write_text("the machine's own")
    for target in (str(tmp_path / "secret"), "../secret", "/etc/hostname"):
        repository = a_git_repository(tmp_path / f"{len(target)}.git", {"a.md": "a", "x.md": Symlink(target)})
        assert isinstance(_refusal(world, repository.path), UnsafePath)


def test_x02_a_link_within_the_tree_becomes_what_it_points_to(tmp_path: Path, world: GitWorld) -> None:
    files: dict[str, Content] = {"security.md": "text\r\n", "deep/link.md": Symlink("../security.md")}
    repository = a_git_repository(tmp_path / "rules.git", files)
    locked = world.locked(git_sources("name: rules, ref: main", repo=str(repository.path)))
    assert locked.tree == a_tree({"security.md": "text\r\n", "deep/link.md": "text\r\n"})


def test_a_submodule_is_refused_until_it_is_excluded(tmp_path: Path, world: GitWorld) -> None:
    files: dict[str, Content] = {
        "a.md": "a",
        "lib": Submodule("1" * 40),
        ".gitmodules": '[submodule "lib"]\npath = lib\nurl = ./lib\n',
    }
    repository = a_git_repository(tmp_path / "rules.git", files)
    error = _refusal(world, repository.path)
    assert isinstance(error, UnsafePath)
    assert "exclude" in (error.remedy or "")
    locked = world.locked(git_sources("name: rules, ref: main, exclude: [lib]", repo=str(repository.path)))
    assert set(locked.tree) == {".gitmodules", "a.md"}


def test_x03_x19_x20_bytes_names_and_modes_are_as_in_the_objects(tmp_path: Path, world: GitWorld, home: Path) -> None:
    """Settings that a checkout would obey: line ends, filters, export rules, ignored files."""
    marker = tmp_path / "ran"
    (home / ".gitconfig").write_text(
        f'[core]\n\tautocrlf = true\n\teol = crlf\n\tattributesFile = {home}/attributes\n[filter "lfs"]\n'
        f"\tsmudge = touch {marker}\n\tprocess = touch {marker}\n\trequired = true\n"
    )
    (home / "attributes").write_text("* text=auto eol=crlf filter=lfs\n")
    files: dict[str, Content] = {
        ".gitattributes": "*.md filter=lfs text eol=crlf ident\nhidden export-ignore\n",
        ".gitignore": "*\n",
        ".claude-plugin/plugin.json": "{}\n",
        "hidden": "$Id$\n",
        "unix.md": "a\nb\n",
        "dos.md": "a\r\nb\r\n",
        "zero.bin": b"a\0b\n",
        "run.sh": Executable("#!/bin/sh\n"),
    }
    repository = a_git_repository(tmp_path / "rules.git", files)
    locked = world.locked(git_sources("name: rules, ref: main", repo=str(repository.path)))
    assert locked.tree == a_tree({**files, "run.sh": program("#!/bin/sh\n")})  # type: ignore[dict-item]
    assert not marker.exists()


def test_a_branch_called_like_a_commit_shadows_nothing(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "good"})
    good = repository.resolve("main")
    evil = repository.commit({"a.md": "evil"})
    repository.git("update-ref", f"refs/heads/{good}", evil)
    repository.git("update-ref", f"refs/tags/{good}", evil)
    locked = world.locked(git_sources(f"name: rules, ref: '{good}'", repo=str(repository.path)))
    assert locked.tree == a_tree({"a.md": "good"})


def test_a_tag_that_moves_between_listing_and_fetching_changes_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "listed"})
    repository.tag("v1", message="x")
    with a_git_host(tmp_path, environment).open(
        str(repository.path), timeout_s=60, max_bytes=10**8, cancellation=Cancellation()
    ) as opened:
        listed = opened.advertised()["refs/tags/v1^{}"]
        repository.commit({"a.md": "moved"})
        repository.tag("v1", message="y")
        opened.fetch([listed], without_blobs=False)
        (entry,) = opened.entries(opened.commit(listed).tree)
        assert bytes(opened.blob(entry.oid)) == b"listed"


def test_a_commit_that_was_forced_away_is_named_as_gone(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "1"})
    gone = repository.commit({"a.md": "2"})
    repository.git("update-ref", "refs/heads/main", f"{gone}~1")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("prune", "--expire=now")
    error = _refusal(world, repository.path, ref=f"'{gone}'")
    assert isinstance(error, NetworkError)
    assert gone in error.check or "does not have this commit" in error.check


def test_a_sha256_repository_is_refused_with_a_clear_message(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "one.git")
    repository.git("init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / "two.git"))
    other = type(repository)(tmp_path / "two.git")
    other.commit({"a.md": "1"})
    error = _refusal(world, other.path)
    assert isinstance(error, NetworkError)
    assert "SHA-256" in error.check or "does not exist" in error.check or "unsupported" in error.check


def test_a_damaged_object_is_not_taken(tmp_path: Path, world: GitWorld) -> None:
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"what was reviewed")
    write_commit(repository, write_tree(repository, [("100644", b"a.md", blob)]))
    other = write_object(repository, "blob", b"what is served")
    served = repository / "objects" / other[:2] / other[2:]
    served.replace(repository / "objects" / blob[:2] / blob[2:])
    assert isinstance(_refusal(world, repository), NetworkError)


def test_what_gits_own_check_of_objects_refuses_is_not_taken(tmp_path: Path) -> None:
    """An address in .gitmodules that would be read as an option (CVE-2018-17456); libgit2 has no such check."""
    repository = a_git_repository(tmp_path / "rules.git", {".gitmodules": '[submodule "x"]\npath = x\nurl = -x\n'})
    error = _refusal(GitWorld(a_git_host(tmp_path)), repository.path)
    assert isinstance(error, NetworkError)
    assert "gitmodulesUrl" in error.check


def test_oddities_of_old_histories_are_taken(tmp_path: Path, world: GitWorld) -> None:
    """Modes and dates as programs wrote them long ago, which that check would refuse as well."""
    repository = a_git_repository(tmp_path / "rules.git").path
    blob = write_object(repository, "blob", b"x")
    below = write_tree(repository, [("100664", b"a.md", blob), ("100775", b"b.sh", blob)])
    tree = write_tree(repository, [("040000", b"core", below)])
    content = f"tree {tree}\nauthor A <a> 1700000000 +051800\ncommitter <a@example.org> 0 +0000\n\nold\n"
    commit = write_object(repository, "commit", content.encode())
    (repository / "refs" / "heads" / "main").write_text(f"{commit}\n")
    locked = world.locked(git_sources("name: rules, ref: main", repo=str(repository)))
    assert locked.tree == a_tree({"core/a.md": "x", "core/b.sh": program("x")})


def test_an_empty_repository_is_an_error(tmp_path: Path, world: GitWorld) -> None:
    error = _refusal(world, a_git_repository(tmp_path / "rules.git").path)
    assert isinstance(error, NetworkError)
    assert "empty" in error.check


def test_what_is_locked_is_what_git_says(tmp_path: Path, world: GitWorld) -> None:
    """R021, R022: commit and tree are git's own."""
    repository = a_git_repository(tmp_path / "rules.git", {"a/b.md": "1", "c.md": "2"})
    repository.tag("v1", message="x")
    locked = world.locked(git_sources("name: rules, ref: v1", repo=str(repository.path)))
    assert isinstance(locked, LockedSource)
    assert isinstance(locked.pin, GitPin)
    assert locked.pin.commit == repository.resolve("v1^{commit}")
    assert locked.pin.tree == repository.resolve("v1^{tree}")
