"""Export in memory: a store of Nix in memory takes every path of it, and nothing that a lock does not vouch for."""

from __future__ import annotations

import pytest

from agent_sync.errors import LockInvalid
from agent_sync.events import Progressed
from agent_sync.nix.binary_cache import file_nar, tree_nar
from agent_sync.ports import Cancellation, Directory
from agent_sync.store.contents import Contents
from agent_sync.tree import RelPath, Sha256
from agent_sync.tree.nar import sri
from agent_sync_oci.digest import Digest
from tests.builders.projects import MemoryProject, a_local_project
from tests.builders.trees import GOLDEN_FILES, a_packed_tree
from tests.fakes.nix import MemoryNix
from tests.fakes.store import MemoryStore


def exported() -> MemoryProject:
    project = a_local_project(rules={"a.md": "a\n", "deep/b.md": "b\n"})
    project.project().update()
    project.put("cache/index.json", "{}")
    project.put("cache/oci-layout", "{}")
    return project


def directory_of(project: MemoryProject) -> Directory:
    return project.directory.below(RelPath("cache"))


def test_a_store_of_nix_takes_every_path() -> None:
    project = exported()
    result = project.project().nix_export("/project/cache")
    nix = MemoryNix(lambda _: directory_of(project))
    nix.copy([each.path for each in result.paths], cache="/project/cache", cancellation=Cancellation())
    [nar] = nix.paths.values()
    assert b"deep" in nar
    assert not result.signed
    assert [event.done for event in project.events if isinstance(event, Progressed) and "binary" in event.work] == [
        0,
        1,
    ]


def test_the_directory_is_made_where_it_is_missing() -> None:
    project = exported()
    project.project().nix_export("/project/new")
    assert "new/nix-cache-info" in project.files
    assert not [path for path in project.files if path.startswith("new/tmp")]


def test_a_lock_that_lies_about_its_nar_is_refused_before_a_narinfo_says_so() -> None:
    project = exported()
    start = project.lock.index("narHash: ") + len("narHash: ")
    project.put("agent-sync.lock", project.lock[:start] + f"sha256-{'A' * 43}=" + project.lock[start + 51 :])
    with pytest.raises(LockInvalid, match="source rules: the files have the narHash sha256-"):
        project.project().nix_export("/project/cache")
    assert not [path for path in project.files if path.endswith(".narinfo")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("status: ok", "status: failed", "source rules: locked with the status failed"),
        ("narHash: ", "unknown: ", "source rules: the lock has no narHash for this tree"),
    ],
)
def test_a_lock_that_names_no_path_is_refused(before: str, after: str, said: str) -> None:
    project = exported()
    project.put("agent-sync.lock", project.lock.replace(before, after))
    with pytest.raises(LockInvalid, match=said):
        project.project().nix_export("/project/cache")


def test_an_archive_has_the_hash_that_the_lock_has() -> None:
    store = MemoryStore()
    packed = a_packed_tree(GOLDEN_FILES, store)
    with Contents(store) as contents:
        contents.add_tree(packed)
        nar = b"".join(tree_nar(packed.files, contents))
    assert sri(bytes.fromhex(Digest.of(nar).hex)) == packed.nar_hash


def test_the_archive_of_a_single_file_is_that_of_nix() -> None:
    store = MemoryStore()
    digest = store.put(b"hello\n")
    with Contents(store) as contents:
        contents.add_blob(digest)
        nar = b"".join(file_nar(Sha256(digest.hex), contents))
    assert Digest.of(nar).hex == "1c37d01af40be2e80691de3cc3df44377a699afbb17c68f080964b2fd071fc13"  # `nix hash path`
