"""`caches:` serve to sync what the store lacks, in their order, and are believed nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import pytest

from agent_sync.errors import BytesUnavailable, LockStale, RegistryError
from agent_sync.events import Warned
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Index, Manifest
from agent_sync_oci.reference import parse_reference
from agent_sync_oci.registry.memory import MemoryRegistry
from tests.builders.bundles import NAME, a_sender, part_in, push, registry_of
from tests.builders.projects import MemoryProject

_SECOND = "oci:vendor/cache"


class BrokenRegistry(MemoryRegistry):
    """A registry that cannot be reached."""

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        del wanted
        raise RegistryError(subject=self.name, check="it could not be reached", remedy="see that it runs")

    def __enter__(self) -> Self:
        return self


@pytest.fixture
def sender() -> MemoryProject:
    sender = a_sender()
    push(sender)
    return sender


def a_checkout(sender: MemoryProject, *caches: str) -> MemoryProject:
    """Without the source's directory, and with an empty store: only these caches have the bytes."""
    project = sender.another_checkout()
    for path in [path for path in project.files if path.startswith("rules/")]:
        project.directory.remove(RelPath(path))
    project.directory.remove_directory(RelPath("rules"))
    project.put("agent-sync.yaml", project.read("agent-sync.yaml") + f"caches: [{', '.join(caches)}]\n")
    project.registries.opened.clear()
    return project


def asked(project: MemoryProject) -> list[str]:
    return [str(place) for place in project.registries.opened]


def passed_over(project: MemoryProject) -> list[str]:
    """The messages about caches that were no good."""
    return [each.message for each in project.events if isinstance(each, Warned) and each.rule == "cache-passed-over"]


def test_a_cache_serves_what_the_store_lacks(sender: MemoryProject) -> None:
    project = a_checkout(sender, NAME)
    project.project().sync()
    assert project.outputs[".cursor/rules/b.md"] == "b\n"
    assert passed_over(project) == []


def test_they_are_asked_in_their_order_until_all_is_there(sender: MemoryProject) -> None:
    project = a_checkout(sender, "empty.example.com/x", NAME, _SECOND)
    project.project().sync()
    assert asked(project) == ["empty.example.com/x", NAME]
    assert passed_over(project) == []  # that one does not have it is no news


def test_what_is_in_the_store_is_asked_of_nobody(sender: MemoryProject) -> None:
    project = replace(a_checkout(sender, NAME), store=sender.store)
    project.project().sync()
    assert asked(project) == []


def test_a_directory_is_meant_from_the_project(sender: MemoryProject) -> None:
    push(sender, parse_reference("oci:/project/vendor/cache"), name=NAME)
    project = a_checkout(sender, _SECOND)
    project.project().sync()
    assert asked(project) == ["oci:/project/vendor/cache"]


def test_a_broken_one_is_reported_and_passed_over(sender: MemoryProject) -> None:
    project = a_checkout(sender, "broken.example.com/x", NAME)
    project.registries.registries["broken.example.com/x"] = BrokenRegistry("broken.example.com/x")
    project.project().sync()
    assert project.outputs[".cursor/rules/b.md"] == "b\n"
    assert passed_over(project) == ["broken.example.com/x: it could not be reached"]


def test_one_that_is_spelt_wrong_is_reported_and_passed_over(sender: MemoryProject) -> None:
    project = a_checkout(sender, "'https://x/y'", NAME)
    project.project().sync()
    assert len(passed_over(project)) == 1


@pytest.mark.parametrize("lie", ["other bytes", "another layer", "an index"])
def test_one_that_serves_something_else_is_reported_and_passed_over(sender: MemoryProject, lie: str) -> None:
    bad = MemoryRegistry("bad.example.com/x")
    honest = registry_of(sender)
    part = part_in(honest)
    (tag,) = (tag for tag in honest.tags() if tag.startswith("src-"))
    bad.blobs.update(honest.blobs)
    if lie == "other bytes":
        bad.blobs[part.layers[0].digest] = bytes(part.layers[0].size)
    bad.put_manifest(part if lie == "other bytes" else _another(part, honest, lie), tag=tag)
    project = a_checkout(sender, "bad.example.com/x", NAME)
    project.registries.registries["bad.example.com/x"] = bad
    project.project().sync()
    assert project.outputs[".cursor/rules/b.md"] == "b\n"
    assert len(passed_over(project)) == 1


def _another(part: Manifest, honest: MemoryRegistry, lie: str) -> Manifest | Index:
    if lie == "an index":
        return honest.manifest("v1")
    return Manifest.make(artifact_type=part.artifact_type, config=part.config, layers=(part.config,))


def test_offline_directories_and_files_are_asked_and_registries_are_not(sender: MemoryProject) -> None:
    push(sender, parse_reference("oci:/project/vendor/cache"), name=NAME)
    project = a_checkout(sender, NAME, _SECOND)
    project.offline = True
    project.project().sync()
    assert asked(project) == ["oci:/project/vendor/cache"]
    assert project.outputs[".cursor/rules/b.md"] == "b\n"


def test_what_no_cache_has_comes_from_upstream_or_not_at_all(sender: MemoryProject) -> None:
    project = a_checkout(sender, "empty.example.com/x")
    with pytest.raises((BytesUnavailable, LockStale)):
        project.project().sync()
    assert project.outputs == {}


def test_a_frozen_run_reads_no_configuration_and_asks_no_cache(sender: MemoryProject) -> None:
    project = a_checkout(sender, NAME)
    with pytest.raises(BytesUnavailable):
        project.project().sync(frozen=True)
    assert asked(project) == []


def test_what_transforms_made_comes_from_a_cache_too(sender: MemoryProject) -> None:
    """Without its template's source, too: nothing has to be made again."""
    sender.put(
        "agent-sync.yaml",
        sender.read("agent-sync.yaml") + "variables: {x: harbour}\ntransforms: [{source: rules, type: template}]\n",
    )
    sender.put("rules/t.md", "{{ .x }}\n")
    sender.project().update()
    assert push(sender).sent == ("rules", "rules (transformed)")
    project = a_checkout(sender, NAME)
    project.project().sync()
    assert project.outputs[".cursor/rules/t.md"] == "harbour\n"
    assert not any(path.startswith("rules/") for path in project.files)
