"""Git sources: what is asked of a remote, what is locked, and that one source's failure is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent_sync.config import Policy, limits_of
from agent_sync.errors import (
    AgentSyncError,
    Cancelled,
    ConfigInvalid,
    DigestMismatch,
    LimitExceeded,
    LockInvalid,
    NetworkError,
    UnsafePath,
    Untrusted,
)
from agent_sync.lock import Lock, LockedSource
from agent_sync.ports import Cancellation
from agent_sync.sources.base import UpstreamState
from agent_sync.sources.content import PackedTree
from agent_sync.sources.git import GitDeclaration, GitPin
from agent_sync.sources.git.pack import named
from tests.builders.git_worlds import REPO, GitWorld, git_sources
from tests.builders.repositories import Executable, Submodule, Symlink
from tests.builders.trees import a_tree, program
from tests.fakes.git import MemoryGit, MemoryRepository
from tests.fakes.store import MemoryStore


@pytest.fixture
def git() -> MemoryGit:
    return MemoryGit()


@pytest.fixture
def remote(git: MemoryGit) -> MemoryRepository:
    return git.add(REPO)


def _pin(locked: LockedSource) -> GitPin:
    assert isinstance(locked.pin, GitPin)
    return locked.pin


def test_a_source_is_locked_with_commit_tree_files_and_packed_form(git: MemoryGit, remote: MemoryRepository) -> None:
    commit = remote.commit({"b.md": "b", "a/run.sh": Executable("#!"), ".hidden/x": "x"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    pin = _pin(locked)
    assert (pin.commit, pin.tree) == (commit, remote.commits[commit].tree)
    assert locked.tree == a_tree({"b.md": "b", "a/run.sh": program("#!"), ".hidden/x": "x"})
    assert locked.declaration == GitDeclaration(repo=REPO, ref="main")
    assert pin.packed.blob is not None
    assert world.store.size(pin.packed.blob) == pin.packed.size


def test_many_sources_of_one_repository_cost_one_listing_and_one_fetch(
    git: MemoryGit, remote: MemoryRepository
) -> None:
    old = remote.commit({"a.md": "1", "b.md": "1"})
    new = remote.commit({"a.md": "2", "b.md": "2"})
    names = [f"name: s{number}, ref: {old if number % 2 else 'main'}" for number in range(20)]
    outcomes = GitWorld(git).resolve(git_sources(*names))
    assert list(outcomes) == [f"s{number}" for number in range(20)]
    assert all(isinstance(outcome, LockedSource) for outcome in outcomes.values())
    assert git.asked == [("refs",), ("fetch", *sorted([old, new]))]


def test_sources_that_take_the_same_files_are_packed_once(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    outcomes = GitWorld(git).resolve(git_sources("name: a, ref: main", "name: b, ref: HEAD"))
    first, second = outcomes.values()
    assert isinstance(first, LockedSource)
    assert isinstance(second, LockedSource)
    assert _pin(first).packed is _pin(second).packed


def test_a_whole_commit_id_needs_no_listing(git: MemoryGit, remote: MemoryRepository) -> None:
    commit = remote.commit({"a.md": "1"})
    GitWorld(git).locked(git_sources(f"name: rules, ref: '{commit}'"))
    assert git.asked == [("fetch", commit)]


def test_with_paths_only_the_blobs_that_are_wanted_are_fetched(git: MemoryGit, remote: MemoryRepository) -> None:
    commit = remote.commit({"core/a.md": "a", "core/b.md": "b", "other.md": "o"})
    wanted = sorted(entry.oid for entry in remote.trees[remote.commits[commit].tree] if entry.path != b"other.md")
    locked = GitWorld(git).locked(git_sources("name: rules, ref: main, paths: [core/]"))
    assert git.asked == [("refs",), ("fetch", commit, "without blobs"), ("blobs", *wanted)]
    assert set(locked.tree) == {"core/a.md", "core/b.md"}


def test_one_source_that_wants_everything_makes_it_one_transfer(git: MemoryGit, remote: MemoryRepository) -> None:
    commit = remote.commit({"core/a.md": "a", "other.md": "o"})
    GitWorld(git).resolve(git_sources("name: narrow, ref: main, paths: [core/]", "name: wide, ref: main"))
    assert git.asked == [("refs",), ("fetch", commit)]


@pytest.mark.parametrize("paths", ["", ", paths: [a.md, link.md]"])
def test_of_what_is_locked_and_in_the_store_only_names_ids_and_links_are_fetched_again(
    git: MemoryGit, remote: MemoryRepository, paths: str
) -> None:
    commit = remote.commit({"a.md": "1", "b.md": "2", "link.md": Symlink("a.md")})
    [link] = [entry.oid for entry in remote.trees[remote.commits[commit].tree] if entry.mode == 0o120000]
    world = GitWorld(git)
    config = git_sources(f"name: rules, ref: main{paths}")
    locked = world.locked(config)
    git.asked.clear()
    assert world.locked(config, Lock((locked,))) == locked
    assert git.asked == [("refs",), ("fetch", commit, "without blobs"), ("blobs", link)]


@pytest.mark.parametrize(
    "forged",
    [
        lambda packed: replace(packed, nar_hash=None),
        lambda packed: replace(packed, nar_hash=f"sha256-{'A' * 43}="),
        lambda packed: replace(packed, files=a_tree({"a.md": "2"})),
        lambda packed: replace(packed, files=a_tree({"a.md": "1", "b.md": "1"})),
        lambda packed: replace(packed, files=a_tree({"a.md": program("1")})),
    ],
)
def test_what_a_lock_says_wrongly_of_stored_bytes_is_found_out(
    git: MemoryGit, remote: MemoryRepository, forged: Callable[[PackedTree], PackedTree]
) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    config = git_sources("name: rules, ref: main")
    locked = world.locked(config)
    pin = replace(_pin(locked), tree="1" * 40, packed=forged(_pin(locked).packed))
    assert world.locked(config, Lock((replace(locked, pin=pin),))) == locked


def test_the_stored_bytes_of_another_commit_are_not_taken_for_this_one(
    git: MemoryGit, remote: MemoryRepository
) -> None:
    world = GitWorld(git)
    config = git_sources("name: rules, ref: main")
    remote.commit({"a.md": "old"})
    old = world.locked(config)
    commit = remote.commit({"a.md": "new"})
    forged = replace(old, pin=replace(_pin(old), commit=commit))
    assert world.locked(config, Lock((forged,))).tree == a_tree({"a.md": "new"})


def test_what_is_locked_still_keeps_the_bounds_of_today(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1234"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    config = git_sources("name: rules, ref: main, limits: {max_file_size: 3}")
    with pytest.raises(LimitExceeded):
        world.locked(config, Lock((locked,)))


def test_a_stored_blob_that_is_corrupt_is_set_aside_and_made_again(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    config = git_sources("name: rules, ref: main")
    locked = world.locked(config)
    [(digest, whole)] = world.store.blobs.items()
    world.store.blobs[digest] = whole[:512] + b"X" + whole[513:]
    assert world.locked(config, Lock((locked,))) == locked
    assert world.store.blobs == {digest: whole}


@pytest.mark.parametrize("change", ["commit", "declaration", "store"])
def test_what_has_changed_is_fetched_again(git: MemoryGit, remote: MemoryRepository, change: str) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    config = git_sources("name: rules, ref: main")
    locked = world.locked(config)
    git.asked.clear()
    match change:
        case "commit":
            remote.commit({"a.md": "2"})
        case "declaration":
            config = git_sources("name: rules, ref: main, exclude: [x]")
        case _:
            world.store.blobs.clear()
    world.locked(config, Lock((locked,)))
    assert [question[0] for question in git.asked] == ["refs", "fetch"]


def test_a_failing_source_leaves_the_others_of_its_repository_alone(git: MemoryGit, remote: MemoryRepository) -> None:
    bad = remote.commit({"../x": "x"}, branch="bad")
    good = remote.commit({"a.md": "1", "sub": Submodule("1" * 40)})
    gone = remote.commit({"a.md": "gone"}, branch="gone")
    remote.gone.add(gone)
    outcomes = GitWorld(git).resolve(
        git_sources(
            f"name: bad-name, ref: '{bad}'",
            "name: good, ref: main, exclude: [sub]",
            "name: submodule, ref: main",
            f"name: vanished, ref: '{gone}'",
            "name: missing-ref, ref: v9",
            "name: missing-path, ref: main, paths: [nowhere/]",
        )
    )
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {
        "bad-name": UnsafePath,
        "good": LockedSource,
        "submodule": UnsafePath,
        "vanished": NetworkError,
        "missing-ref": ConfigInvalid,
        "missing-path": ConfigInvalid,
    }
    assert isinstance(outcomes["good"], LockedSource)
    assert _pin(outcomes["good"]).commit == good


def test_an_error_names_its_source_whoever_raised_it(git: MemoryGit, remote: MemoryRepository) -> None:
    gone = remote.commit({"a.md": "1"})
    remote.gone.add(gone)
    outcomes = GitWorld(git).resolve(git_sources("name: one, ref: main", "name: two, ref: main"))
    for name, outcome in outcomes.items():
        assert isinstance(outcome, NetworkError)
        assert outcome.subject.startswith(f"source {name}, ")
        assert outcome.remedy


def test_an_unreachable_repository_fails_each_of_its_sources(git: MemoryGit) -> None:
    outcomes = GitWorld(git).resolve(git_sources("name: one, ref: main", "name: two, ref: main"))
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {"one": NetworkError, "two": NetworkError}
    assert git.asked == [("refs",)]


def test_the_transfer_is_bound_by_the_most_generous_source(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    config = git_sources(
        "name: one, ref: main, limits: {fetch_timeout: 5s, max_source_size: 1MB}",
        "name: two, ref: main, limits: {fetch_timeout: 9s, max_source_size: 2MB}",
    )
    GitWorld(git).resolve(config)
    ((timeout_s, max_bytes),) = git.bounds
    assert timeout_s == 9
    assert 2_000_000 <= max_bytes <= 60_000_000


@pytest.mark.parametrize(
    ("limits", "named_bound"),
    [
        ("{max_file_size: 3}", "max_file_size"),
        ("{max_source_size: 5}", "max_source_size"),
        ("{max_files: 1}", "max_files"),
    ],
)
def test_each_source_keeps_its_own_bounds(
    git: MemoryGit, remote: MemoryRepository, limits: str, named_bound: str
) -> None:
    remote.commit({"a.md": "1234", "b.md": "12"})
    config = git_sources(f"name: bound, ref: main, limits: {limits}", "name: free, ref: main")
    outcomes = GitWorld(git).resolve(config)
    assert isinstance(outcomes["bound"], LimitExceeded)
    assert named_bound in outcomes["bound"].check
    assert isinstance(outcomes["free"], LockedSource)
    assert limits_of("free", config).max_files > 1


def test_cancelling_is_nobodys_failure(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        GitWorld(git, cancellation=cancellation).resolve(git_sources("name: rules, ref: main"))


def test_where_upstream_is_now_is_asked_without_fetching(git: MemoryGit, remote: MemoryRepository) -> None:
    first = remote.commit({"a.md": "1"})
    remote.tag("v1", first)
    last = remote.commit({"a.md": "2"})
    config = git_sources("name: tag, ref: v1", "name: branch, ref: main", "name: none, ref: v9")
    pin = GitPin(first, "0" * 40, PackedTree(a_tree({})))
    locked = (LockedSource(name, GitDeclaration(repo=REPO, ref=""), pin) for name in ("tag", "branch"))
    found = GitWorld(git).check(config, Lock(tuple(locked)))
    assert found["tag"] == UpstreamState(same=True, identity=first[:12])
    assert found["branch"] == UpstreamState(same=False, identity=last[:12])
    assert isinstance(found["none"], ConfigInvalid)
    assert {question[0] for question in git.asked} == {"refs"}


def test_a_locked_source_is_fetched_again_by_its_commit_whatever_the_ref_means_now(
    git: MemoryGit, remote: MemoryRepository
) -> None:
    commit = remote.commit({"core/a.md": "old", "b.md": "b"})
    locked = GitWorld(git).locked(git_sources("name: rules, ref: main, paths: [core]"))
    remote.commit({"core/a.md": "new"})
    git.asked.clear()
    world = GitWorld(git, MemoryStore())
    outcomes = world.refetch(locked)
    assert outcomes == {"rules": _pin(locked).packed}
    assert git.asked[0] == ("fetch", commit, "without blobs")
    blob = _pin(locked).packed.blob
    assert blob is not None
    assert world.store.size(blob) == _pin(locked).packed.size


def test_files_other_than_the_locked_ones_are_not_taken(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    other = world.locked(git_sources("name: rules, ref: main, exclude: [none]"))
    forged = replace(locked, pin=replace(_pin(locked), packed=replace(_pin(other).packed, files=a_tree({"a.md": "2"}))))
    outcome = world.refetch(forged)["rules"]
    assert isinstance(outcome, DigestMismatch)
    assert outcome.check.endswith('does not hold the locked files: changed "a.md"')


def test_a_commit_with_the_locked_files_in_another_tree_is_not_taken(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    outcome = world.refetch(replace(locked, pin=replace(_pin(locked), tree="0" * 40)))["rules"]
    assert isinstance(outcome, DigestMismatch)
    assert outcome.check.endswith(f"the lock says {'0' * 40}")


def test_a_foreign_lock_without_packed_form_is_held_against_its_files(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    packed = replace(_pin(locked).packed, blob=None, size=None, nar_hash=None)
    foreign = replace(locked, pin=replace(_pin(locked), packed=packed))
    outcomes = world.refetch(foreign)
    assert outcomes == {"rules": _pin(locked).packed}


def test_a_lock_that_names_no_repository_cannot_be_fetched(git: MemoryGit, remote: MemoryRepository) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    nowhere = replace(locked, declaration=GitDeclaration(repo="", ref="main"))
    outcomes = world.refetch(nowhere)
    assert isinstance(outcomes["rules"], LockInvalid)


def test_a_locked_repository_that_is_not_allowed_any_more_is_not_asked(
    git: MemoryGit, remote: MemoryRepository
) -> None:
    remote.commit({"a.md": "1"})
    world = GitWorld(git)
    locked = world.locked(git_sources("name: rules, ref: main"))
    git.asked.clear()
    policy = Policy(repositories=(("https://other.example/*",),))
    outcomes = world.refetch(locked, policy=policy)
    assert isinstance(outcomes["rules"], Untrusted)
    assert git.asked == []


def test_an_error_that_knows_its_source_is_left_as_it_is() -> None:
    error = NetworkError(subject="source a", check="x", remedy="y")
    assert named(error, "source a") is error
    other: AgentSyncError = named(error, "source b")
    assert other.subject == "source b, source a"


def test_a_path_that_looks_like_a_hosted_repository_is_taken_for_one(git: MemoryGit) -> None:
    (outcome,) = GitWorld(git).resolve(git_sources("name: rules, ref: main", repo="acme/agent-rules")).values()
    assert isinstance(outcome, NetworkError)
    assert (outcome.check, outcome.remedy) == (
        "no such directory",
        "did you mean https://github.com/acme/agent-rules?",
    )
    assert git.asked == []
