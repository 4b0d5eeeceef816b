"""The index of a bundle as a value: what a lock gives, what is read back, and what is not an index of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_sync.bundle.index import (
    BundleIndex,
    fetch_manifest,
    lock_index,
    lockfile_descriptor,
    lockfile_manifest,
    name_to_verify,
    parse_index,
    parts_of,
    read_lockfile,
    title_of,
)
from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.names import LOCK, LOCKFILE, NAME, TITLE
from agent_sync.errors import DigestMismatch, LimitExceeded, LockInvalid, UsageError
from agent_sync.lock import Lock, LockedSource
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync.sources.content import PackedTree
from agent_sync.sources.local import LocalDeclaration, LocalPin
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, IMAGE_INDEX, IMAGE_MANIFEST, Descriptor, Index, Manifest
from agent_sync_oci.reference import parse_reference
from agent_sync_oci.registry.memory import MemoryRegistry
from tests.builders.artifacts import a_manifest, described, put_blob
from tests.builders.locks import a_source, overridden
from tests.builders.trees import a_tree

_LOCK = b"version: 1\n"
_RULES = a_source("rules", {"a.md": "a"})
_MORE = a_source("more", {"b.md": "b"}, made={"b.md": "B"})


def _lock(*sources: LockedSource, rendered: bool = False) -> Lock:
    return Lock(sources=sources, outputs=(), rendered=overridden({"c.md": "c"}) if rendered else None)


def _artifact(item: Item) -> Manifest:
    return a_manifest(described(item.title.encode()), artifact_type=item.artifact_type)


def _bundle(lock: Lock, name: str = "acme/agents") -> BundleIndex:
    parts = [(item, _artifact(item)) for item in items_of(lock)]
    return parse_index(lock_index(name, lockfile_manifest(_LOCK), parts), where="here")


# -- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lock", "titles"),
    [
        (_lock(), []),
        (_lock(_RULES), ["rules"]),
        (_lock(_MORE, _RULES), ["more", "rules", "more (transformed)"]),
        (_lock(_RULES, _MORE, rendered=True), ["rules", "more", "more (transformed)", "(rendered)"]),
        (_lock(a_source("rules", {"a.md": "a"}, removed=["a.md"])), ["rules"]),
    ],
    ids=["nothing", "a source", "the order of the lock", "transforms, then overrides", "a transform that only removes"],
)
def test_a_lock_needs_each_source_and_then_what_was_derived(lock: Lock, titles: list[str]) -> None:
    items = items_of(lock)
    assert [item.title for item in items] == titles
    assert [item.file for item in items] == [f"{title}.tar" for title in titles]
    assert [item.artifact_type.split(".")[2] for item in items] == [
        "rendered" if "(" in title else "source" for title in titles
    ]


def test_a_lock_that_names_no_blob_of_a_source_needs_nobody_knows_what() -> None:
    bare = LocalPin("./bare", PackedTree(a_tree({"a.md": "a"})))
    lock = _lock(_RULES, LockedSource("bare", LocalDeclaration(path="./bare"), bare, None))
    with pytest.raises(LockInvalid, match="source bare: the lock names no blob"):
        items_of(lock)


# -- the index -------------------------------------------------------------------------------------------------------


def test_the_lock_file_comes_first_and_each_part_has_its_title() -> None:
    lock = _lock(_MORE, _RULES)
    bundle = _bundle(lock)
    assert bundle.name == "acme/agents"
    assert title_of(bundle.lockfile) == "agent-sync.lock"
    assert bundle.lockfile.digest == lockfile_manifest(_LOCK).digest
    assert [title_of(part) for part in bundle.parts] == ["more", "rules", "more (transformed)"]
    assert bundle.manifests == {bundle.digest, bundle.lockfile.digest, *(part.digest for part in bundle.parts)}


def test_the_same_lock_under_the_same_name_is_the_same_index_for_ever() -> None:
    lock = _lock(_RULES)
    assert _bundle(lock).digest == "sha256:62bef864ba746ce2cce90a4e384f1ac9af6c580a143d353e576ad984c421e5eb"
    assert _bundle(lock).digest == _bundle(lock).digest
    assert _bundle(lock, "acme/others").digest != _bundle(lock).digest
    assert lockfile_manifest(_LOCK).config == Descriptor(LOCKFILE, Digest.of(_LOCK), len(_LOCK))


def _index(
    *children: Descriptor, artifact_type: str | None = LOCK, name: str | None = "acme/agents"
) -> Callable[[], Manifest | Index]:
    annotations = {} if name is None else {NAME: name}
    return lambda: Index.make(artifact_type=artifact_type, manifests=children, annotations=annotations)


_FILE = lockfile_manifest(_LOCK).descriptor


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (lambda: lockfile_manifest(_LOCK), f'not an agent-sync bundle .artifact type "{LOCKFILE}"'.replace("+", r"\+")),
        (_index(_FILE, artifact_type=None), "not an agent-sync bundle"),
        (_index(_FILE, artifact_type="application/vnd.example.app"), "vnd.example.app"),
        (_index(_FILE, name=None), "no valid name"),
        (_index(_FILE, name=""), "no valid name"),
        (_index(_FILE, name="two words"), "no valid name"),
        (_index(_FILE, name="line\nfeed"), "no valid name"),
        (_index(_FILE, name="x" * 1025), "no valid name"),
        (_index(), "lists no lock file"),
        (_index(_FILE, Descriptor(IMAGE_INDEX, Digest.of(b""), 0)), "something other than artifacts"),
    ],
    ids=["a manifest", "no type", "another type", "no name", "empty", "spaces", "control", "long", "empty", "nested"],
)
def test_what_is_not_an_index_of_ours_is_refused(found: Callable[[], Manifest | Index], why: str) -> None:
    with pytest.raises(DigestMismatch, match=f"^here: .*{why}"):
        parse_index(found(), where="here")


@pytest.mark.parametrize("name", ["a", "acme/agents", "registry.example.com/team/agents", "é", "x" * 1024])
def test_a_name_is_whatever_a_person_can_read_without_a_space(name: str) -> None:
    assert _bundle(_lock(_RULES), name).name == name


# -- parts -----------------------------------------------------------------------------------------------------------


def test_each_part_is_an_item_of_the_lock_with_its_descriptor() -> None:
    lock = _lock(_RULES, _MORE)
    bundle = _bundle(lock)
    assert [(part.item.title, part.listed) for part in parts_of(bundle, lock)] == [
        (title_of(listed), listed) for listed in bundle.parts
    ]


@pytest.mark.parametrize(
    "lock",
    [_lock(), _lock(_RULES), _lock(_MORE, _RULES), _lock(_RULES, _MORE, rendered=True)],
    ids=["none", "fewer", "another order", "more"],
)
def test_an_index_that_lists_other_parts_than_its_lock_needs_is_refused(lock: Lock) -> None:
    with pytest.raises(DigestMismatch, match="the index lists other parts than its lock needs"):
        parts_of(_bundle(_lock(_RULES, _MORE)), lock)


# -- what is fetched -------------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry("registry.example.com/team/agents")
    put_blob(registry, _LOCK, LOCKFILE)
    registry.put_manifest(lockfile_manifest(_LOCK))
    return registry


def test_the_lock_file_comes_out_byte_for_byte(registry: MemoryRegistry) -> None:
    assert read_lockfile(_bundle(_lock(_RULES)), registry) == _LOCK


@pytest.mark.parametrize(
    "listed",
    [
        Descriptor(_FILE.media_type, _FILE.digest, _FILE.size + 1),
        Descriptor(_FILE.media_type, _FILE.digest, 0),
    ],
    ids=["larger", "empty"],
)
def test_a_manifest_of_another_size_than_listed_is_refused(registry: MemoryRegistry, listed: Descriptor) -> None:
    with pytest.raises(DigestMismatch, match="does not have the type and size listed"):
        fetch_manifest(listed, registry)


def test_an_index_where_an_artifact_is_listed_is_refused(registry: MemoryRegistry) -> None:
    index = Index.make(artifact_type=LOCK, manifests=[_FILE], annotations={NAME: "a"})
    registry.put_manifest(index)
    whole = index.descriptor
    with pytest.raises(DigestMismatch, match="does not have the type and size listed"):
        fetch_manifest(Descriptor(IMAGE_MANIFEST, whole.digest, whole.size), registry)


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        (described(_LOCK, "application/vnd.example.config"), DigestMismatch, "not the manifest of a lock file"),
        (Descriptor(LOCKFILE, Digest.of(b""), MAX_LOCK_BYTES + 1), LimitExceeded, "at most"),
    ],
)
def test_a_lock_file_of_another_type_or_too_large_is_not_fetched(
    registry: MemoryRegistry, config: Descriptor, error: type[Exception], why: str
) -> None:
    manifest = Manifest.make(artifact_type=LOCKFILE, config=config, layers=[EMPTY])
    registry.put_manifest(manifest)
    bundle = parse_index(lock_index("acme/agents", manifest, []), where="here")
    with pytest.raises(error, match=why):
        lockfile_descriptor(bundle, registry)


# -- the name that signatures must be for ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "asked", "configured", "name"),
    [
        ("registry.example.com/team/agents:v1", None, None, "registry.example.com/team/agents"),
        ("registry.example.com/team/agents:v1", None, "acme/agents", "acme/agents"),
        ("registry.example.com/team/agents:v1", "asked", "acme/agents", "asked"),
        ("oci:/shared", None, "acme/agents", "acme/agents"),
        ("oci-archive:/agents.tar", "asked", None, "asked"),
    ],
)
def test_the_name_is_the_one_asked_for_then_the_configured_one_then_the_registrys(
    registry: MemoryRegistry, reference: str, asked: str | None, configured: str | None, name: str
) -> None:
    assert name_to_verify(parse_reference(reference), registry, asked=asked, configured=configured) == name


def test_the_name_in_a_layout_is_told_and_never_taken(registry: MemoryRegistry) -> None:
    registry.put_manifest(lock_index("acme/agents", lockfile_manifest(_LOCK), []), tag="latest")
    with pytest.raises(UsageError, match="the bundle says it is `acme/agents`, which is not trusted by itself") as said:
        name_to_verify(parse_reference("oci:/shared"), registry, asked=None, configured=None)
    assert said.value.remedy is not None
    assert said.value.remedy.endswith("pass --name acme/agents")
    assert TITLE not in str(said.value)
