"""What others put in the way between the survey and the change: the run is undone, and theirs is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_sync.errors import AgentSyncError, FileFault, UnsafePath
from agent_sync.events import Event, Progressed
from agent_sync.ports import Kind
from tests.builders.checkouts import ACheckout
from tests.fakes.folder import MemoryFolder

FIRST = {"a/changes.md": "one", "a/goes.md": "one", "narrows/x.md": "one"}
SECOND = {"a/changes.md": "two", "a/comes.md": "two", "narrows": "two", "new/b.md": "two"}

Put = Callable[[MemoryFolder], object]

INTRUSIONS: dict[str, tuple[type[AgentSyncError], str, Put]] = {
    "a new folder appears": (FileFault, "new", lambda folder: folder.put("new/theirs.md", "theirs")),
    "a new folder appears empty": (FileFault, "new", lambda folder: folder.put_other("new", Kind.FOLDER)),
    "a file takes its name": (FileFault, "new", lambda folder: folder.put("new", "theirs")),
    "a link takes its name": (FileFault, "new", lambda folder: folder.put_other("new", Kind.LINK)),
    "a link takes the place of a file": (
        UnsafePath,
        "a/changes.md",
        lambda folder: folder.put_other("a/changes.md", Kind.LINK),
    ),
    "a link takes the place of a file that goes": (
        UnsafePath,
        "a/goes.md",
        lambda folder: folder.put_other("a/goes.md", Kind.LINK),
    ),
    "a fifo stands where a file comes": (
        FileFault,
        "a/comes.md",
        lambda folder: folder.put_other("a/comes.md", Kind.OTHER),
    ),
    "a file is put into a folder that gives way": (
        FileFault,
        "narrows",
        lambda folder: folder.put("narrows/theirs.md", "theirs"),
    ),
}


def when_all_is_staged(put: Put, folder: MemoryFolder) -> Callable[[Event], object]:
    def hear(event: Event) -> None:
        if isinstance(event, Progressed) and event.done == event.total:
            put(folder)

    return hear


@pytest.mark.parametrize("intrusion", INTRUSIONS)
def test_an_intrusion_is_refused_and_left_alone_and_all_is_as_it_was(intrusion: str) -> None:
    family, path, put = INTRUSIONS[intrusion]
    folder, expected = MemoryFolder(), MemoryFolder()
    checkout, undisturbed = ACheckout(folder), ACheckout(expected)
    for each in (checkout, undisturbed):
        each.sync(FIRST)
    put(expected)
    plan = checkout.plan(SECOND)
    checkout.observer = when_all_is_staged(put, folder)
    with pytest.raises(family) as caught:
        checkout.apply(plan)
    assert f'"{path}"' in caught.value.subject
    assert caught.value.remedy
    assert checkout.targets() == undisturbed.targets()
    assert not checkout.kept


def test_a_folder_on_another_disk_does_not_give_way_to_a_file_but_says_what_helps() -> None:
    folder = MemoryFolder()
    folder.mount("mounted")
    checkout = ACheckout(folder)
    checkout.sync({"mounted/narrows/x.md": "one"})
    plan = checkout.plan({"mounted/narrows": "two"})
    with pytest.raises(FileFault, match="another file system") as caught:
        checkout.apply(plan)
    assert "remove that folder" in str(caught.value.remedy)
    assert checkout.targets() == {"mounted/narrows/x.md": "one"}
    folder.drop("mounted/narrows")
    checkout.apply(checkout.plan({"mounted/narrows": "two"}))
    assert checkout.targets() == {"mounted/narrows": "two"}


def test_a_reader_never_finds_a_file_missing_that_is_replaced() -> None:
    folder = MemoryFolder()
    checkout = ACheckout(folder)
    checkout.sync({"a.md": "one"})
    plan = checkout.plan({"a.md": "two"})
    seen = set()

    def look(_verb: str, _path: str) -> None:
        seen.add(bytes(folder.node.entries["a.md"].content))

    folder.machine.before_call = look
    checkout.apply(plan)
    assert seen == {b"one", b"two"}
