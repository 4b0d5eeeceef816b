"""Which files a source takes of a commit: paths, root, exclude, names, links and bounds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_sync.errors import ConfigInvalid, LimitExceeded, UnsafePath
from agent_sync.limits import Limits
from agent_sync.ports import Cancellation
from agent_sync.sources.git import GitDeclaration
from agent_sync.sources.git.selection import Selection
from tests.builders.repositories import Content, Executable, Submodule, Symlink
from tests.fakes.git import MemoryGit


def _taken(
    files: Mapping[str, Content],
    *,
    paths: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    root: str | None = None,
    limits: Limits | None = None,
) -> dict[str, tuple[bytes, bool]]:
    """Key -> content and executable bit, in the order in which they would be packed."""
    git = MemoryGit()
    commit = git.add("r").commit(files)
    selection = Selection(
        GitDeclaration(repo="r", ref="main", paths=paths, exclude=exclude, root=root), limits or Limits()
    )
    with git.open("r", timeout_s=1, max_bytes=10_000_000, cancellation=Cancellation()) as repository:
        repository.fetch([commit], without_blobs=True)
        tree = repository.commit(commit).tree
        for entry in repository.entries(tree, into=lambda directory: selection.looks_into(directory.decode())):
            selection.offer(entry.path.decode("utf-8", "surrogateescape"), entry)
        selection.check()
        repository.fetch_blobs(selection.oids)
        found = selection.files(repository, cancellation=Cancellation())
        return {file.path: (b"".join(bytes(chunk) for chunk in file.chunks), file.executable) for file in found}


def _refused(files: Mapping[str, Content], **how: object) -> str:
    """The check that refused these files as unsafe; the error has a remedy."""
    with pytest.raises(UnsafePath) as caught:
        _taken(files, **how)  # type: ignore[arg-type]  # passed on as they are
    assert caught.value.remedy
    return caught.value.check


def test_everything_is_taken_hidden_files_included_in_tree_order() -> None:
    taken = _taken({"b.md": "b", "a-b": "1", "a/x.sh": Executable("#!"), ".claude-plugin/plugin.json": "{}", ".x": ""})
    assert list(taken) == [".claude-plugin/plugin.json", ".x", "a/x.sh", "a-b", "b.md"]
    assert taken["a/x.sh"] == (b"#!", True)
    assert taken["b.md"] == (b"b", False)


@pytest.mark.parametrize(
    ("directory", "wanted"),
    [("", True), ("a", True), ("a/b", True), ("a/b/c", True), ("a/b/c/d", True), ("a/bc", False), ("ab", False)],
)
def test_only_directories_on_the_way_and_below_are_looked_into(directory: str, wanted: bool) -> None:
    assert (
        Selection(GitDeclaration(repo="r", ref="main", paths=("a/b/c/", "z.md")), Limits()).looks_into(directory)
        is wanted
    )
    assert Selection(GitDeclaration(repo="r", ref="main", paths=("x",), root="a/b/c"), Limits()).looks_into(
        directory
    ) is (directory == "")
    assert Selection(GitDeclaration(repo="r", ref="main", root="a/b/c"), Limits()).looks_into(directory) is wanted
    assert Selection(GitDeclaration(repo="r", ref="main"), Limits()).looks_into(directory)


@pytest.mark.parametrize("spelling", ["core/", "core", "./core/", "./core"])
def test_a_directory_in_paths_takes_what_is_below_it_and_keys_keep_it(spelling: str) -> None:
    files = {"core/a.md": "a", "core/deep/b.md": "b", "core.md": "no", "corex/c.md": "no", "x/core/d.md": "no"}
    assert list(_taken(files, paths=(spelling,))) == ["core/a.md", "core/deep/b.md"]


def test_a_file_in_paths_takes_itself() -> None:
    assert list(_taken({"a.md": "a", "b.md": "b", "c/d": "d"}, paths=("b.md", "c/"))) == ["b.md", "c/d"]


def test_root_strips_and_confines() -> None:
    files = {"core/a.md": "a", "core/b/c.md": "c", "other.md": "o", "corex/d.md": "d"}
    assert list(_taken(files, root="core/")) == ["a.md", "b/c.md"]
    assert list(_taken(files, root="core", paths=("core/b/",))) == ["b/c.md"]


def test_a_path_that_matches_nothing_is_named() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        _taken({"core/a.md": "a"}, paths=("core/", "cores/"))
    assert '"cores/"' in caught.value.check


def test_a_path_outside_root_matches_nothing() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        _taken({"core/a.md": "a", "other/b.md": "b"}, root="core", paths=("core/", "other/"))
    assert caught.value.check == '`root: core` leaves out "other/"'
    assert caught.value.part == ("paths", 1)


@pytest.mark.parametrize("pattern", ["**/*.png", "img/", "img", "img/**", "img/*"])
def test_what_is_excluded_is_not_taken(pattern: str) -> None:
    assert list(_taken({"a.md": "a", "img/b.png": "b"}, exclude=(pattern,))) == ["a.md"]


def test_exclude_means_repository_paths_whatever_root_is() -> None:
    assert list(_taken({"core/a.md": "a", "core/b.md": "b"}, root="core", exclude=("core/b.md",))) == ["a.md"]
    assert list(_taken({"core/a.md": "a", "core/b.md": "b"}, root="core", exclude=("b.md",))) == ["a.md", "b.md"]


def test_what_is_excluded_is_not_looked_at() -> None:
    bad: dict[str, Content] = {
        "a.md": "a",
        "bad/../x": "x",
        "bad/\udcff": "not UTF-8",
        "bad/sub": Submodule("1" * 40),
        "bad/link": Symlink("/etc/passwd"),
    }
    assert list(_taken(bad, exclude=("bad/",))) == ["a.md"]
    assert list(_taken(bad, paths=("a.md",))) == ["a.md"]


@pytest.mark.parametrize(("how", "what"), [({"exclude": ("**",)}, "excluded"), ({"root": "none"}, "nothing is there")])
def test_a_source_without_a_file_is_an_error(how: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigInvalid, match=what):
        _taken({"a.md": "a"}, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        ".git/config",
        "a/.GIT/hooks/x",
        "git~1",
        "a\\b",
        "\udcff",
        "a\nb",
        "con",
        "x.",
    ],
)
def test_a_name_that_is_not_allowed_is_refused(name: str) -> None:
    _refused({"good.md": "", name: "x"})


@pytest.mark.parametrize("other", ["A.MD", "a.md/below", "\uff41.md"])
def test_names_that_are_one_file_somewhere_are_refused(other: str) -> None:
    assert "a.md" in _refused({"a.md": "1", other: "2"})


def test_keys_below_root_collide_like_any_others() -> None:
    _refused({"core/a.md": "1", "core/A.md": "2"}, root="core")


def test_a_submodule_is_refused_and_the_remedy_leaves_it_out() -> None:
    files: dict[str, Content] = {"a.md": "a", "vendor/lib": Submodule("1" * 40)}
    assert "submodule" in _refused(files)
    assert list(_taken(files, exclude=("vendor/lib",))) == ["a.md"]


def test_a_link_becomes_the_file_that_it_points_to() -> None:
    taken = _taken(
        {
            "security.md": "text",
            "run.sh": Executable("#!"),
            "link.md": Symlink("security.md"),
            "deep/er/link.md": Symlink("../../security.md"),
            "deep/run": Symlink("./../run.sh"),
            "chain": Symlink("deep/er/link.md"),
        }
    )
    assert taken["link.md"] == taken["deep/er/link.md"] == taken["chain"] == (b"text", False)
    assert taken["deep/run"] == (b"#!", True)


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/etc/hostname", "outside the repository"),
        ("../../../etc/hostname", "outside the repository"),
        ("../x.md", "outside the repository"),
        ("missing.md", "nothing that this source takes"),
        ("directory", "to a directory"),
        (".", "to a directory"),
        ("directory/", "to a directory"),
        ("a.md/", "nothing that this source takes"),
        ("", "to a directory"),
        ("link", "links"),
        ("two", "links"),
        ("x" * 5000, "4096"),
        ("a.md\0", "nothing that this source takes"),
    ],
)
def test_a_link_that_leads_anywhere_else_is_refused(target: str, what: str) -> None:
    files: dict[str, Content] = {"a.md": "a", "directory/b.md": "b", "link": Symlink(target), "two": Symlink("link")}
    assert what in _refused(files)
    assert "link" not in _taken(files, exclude=("link", "two"))


def test_a_link_to_a_file_that_is_not_taken_is_refused() -> None:
    files: dict[str, Content] = {"core/link": Symlink("../secret.md"), "secret.md": "s", "core/a.md": "a"}
    assert "nothing that this source takes" in _refused(files, paths=("core/",))
    assert "nothing that this source takes" in _refused(files, exclude=("secret.md",))


def test_an_lfs_pointer_is_a_file_like_any_other() -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    assert _taken({".gitattributes": "*.bin filter=lfs\n", "a.bin": pointer})["a.bin"] == (pointer.encode(), False)


@pytest.mark.parametrize(
    ("limits", "bound"),
    [
        (Limits(max_files=1), "max_files"),
        (Limits(max_file_size=3), "max_file_size"),
        (Limits(max_source_size=7), "max_source_size"),
    ],
)
def test_bounds_are_kept(limits: Limits, bound: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        _taken({"a.md": "1234", "b.md": "5678"}, limits=limits)
    assert bound in caught.value.check


def test_exactly_what_is_allowed_is_taken() -> None:
    limits = Limits(max_files=2, max_file_size=4, max_source_size=8)
    assert len(_taken({"a.md": "1234", "b.md": "5678"}, limits=limits)) == 2


def test_a_link_counts_as_what_it_becomes() -> None:
    files: dict[str, Content] = {"a.md": "1234", "b.md": Symlink("a.md")}
    with pytest.raises(LimitExceeded):
        _taken(files, limits=Limits(max_source_size=7))


def test_what_is_not_taken_counts_for_nothing() -> None:
    files: dict[str, Content] = {f"other/{number}": "x" * 100 for number in range(10)}
    limits = Limits(max_files=1, max_source_size=10)
    assert list(_taken({**files, "a.md": "a"}, paths=("a.md",), limits=limits)) == ["a.md"]
