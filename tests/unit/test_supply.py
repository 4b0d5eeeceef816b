"""Trees that Nix hands over (AGENT_SYNC_SOURCES): a url's file by itself, and what transforms made by its narHash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from agent_sync.errors import BytesUnavailable, DigestMismatch
from agent_sync.lock.file import read_lock
from tests.builders.projects import MemoryProject, a_project
from tests.builders.trees import sha256

POLICY = sha256("policy\n")
URL = "https://example.com/policy.md"
CONFIG = f"""
    version: 1
    variables: {{project: harbour}}
    sources:
      - {{name: rules, type: local, path: ./rules/}}
      - {{name: policy, type: url, url: "{URL}", checksum: "sha256:{POLICY}"}}
    targets:
      - {{source: rules, tools: [cursor]}}
      - {{source: policy, tools: [cursor]}}
    transforms:
      - {{source: rules, type: template}}
    overrides:
      - {{target: policy.md, strategy: append, file: more.md}}
    """


@pytest.fixture
def elsewhere() -> MemoryProject:
    """A checkout without outputs, without bytes, and without upstream; what Nix would have made lies in `store/`."""
    project = a_project({"agent-sync.yaml": CONFIG, "rules/a.md": "{{ .project }}\n", "more.md": "more\n"})
    project.web.served[URL] = b"policy\n"
    project.project().update()
    project.project().sync()
    outputs = project.outputs
    other = project.another_checkout()
    other.web.served.clear()
    other.offline = True
    other.put("store/rules/a.md", "{{ .project }}\n")
    other.put("store/abc-policy.md", "policy\n")
    other.put("store/transformed/a.md", outputs[".cursor/rules/a.md"])
    other.put("store/rendered/.cursor/rules/policy.md", outputs[".cursor/rules/policy.md"])
    return other


def supplied(project: MemoryProject) -> Mapping[str, str]:
    """Everything, as `mkShell` hands it."""
    lock = read_lock(project.lock.encode())
    [transformed] = [source.transformed for source in lock.sources if source.transformed is not None]
    assert transformed.packed is not None
    assert lock.rendered is not None
    return {
        "rules": "/project/store/rules",
        "policy": "/project/store/abc-policy.md",
        str(transformed.packed.nar_hash): "/project/store/transformed",
        str(lock.rendered.packed.nar_hash): "/project/store/rendered",
    }


def test_a_frozen_sync_needs_nothing_else(elsewhere: MemoryProject) -> None:
    replace(elsewhere.project(), supplied=supplied(elsewhere)).sync(frozen=True)
    assert elsewhere.outputs == {".cursor/rules/a.md": "harbour\n", ".cursor/rules/policy.md": "policy\nmore\n"}


@pytest.mark.parametrize("place", ["store/transformed/a.md", "store/rendered/.cursor/rules/policy.md"])
def test_what_transforms_and_overrides_made_is_taken_only_as_it_was_locked(
    elsewhere: MemoryProject, place: str
) -> None:
    elsewhere.put(place, "tampered\n")
    with pytest.raises(DigestMismatch, match="what transforms or overrides derived, supplied in") as refused:
        replace(elsewhere.project(), supplied=supplied(elsewhere)).sync(frozen=True)
    assert f'changed "{place.split("/", 2)[2]}"' in refused.value.check
    assert elsewhere.outputs == {}


def test_a_file_of_a_url_is_taken_only_as_it_was_locked(elsewhere: MemoryProject) -> None:
    elsewhere.put("store/abc-policy.md", "tampered\n")
    with pytest.raises(DigestMismatch, match='source policy, supplied in "/project/store/abc-policy'):
        replace(elsewhere.project(), supplied={"policy": "/project/store/abc-policy.md"}).nix_export("/project/new")


def test_without_what_transforms_made_a_frozen_sync_says_so(elsewhere: MemoryProject) -> None:
    only = {name: place for name, place in supplied(elsewhere).items() if not name.startswith("sha256-")}
    with pytest.raises(BytesUnavailable, match="--frozen cannot derive them"):
        replace(elsewhere.project(), supplied=only).sync(frozen=True)
