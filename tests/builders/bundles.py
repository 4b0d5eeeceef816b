"""Bundles between projects in memory: a locked project, the registry that it pushes to, and who must have signed."""

from __future__ import annotations

from dataclasses import replace

from agent_sync.bundle.sign import Signing
from agent_sync.operations.pull import PullResult
from agent_sync.operations.push import PushResult
from agent_sync_oci.manifest import Descriptor, Index, Manifest
from agent_sync_oci.reference import Reference, parse_reference
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.signing.keys import PrivateKey
from agent_sync_oci.signing.sign import sign_with_key
from tests.builders.projects import MemoryProject, a_local_project

NAME = "registry.example.com/team/agents"
V1 = parse_reference(f"{NAME}:v1")
POLICY = "/etc/agent-sync/policy.yaml"


def a_sender() -> MemoryProject:
    """A project with one local source, which is locked."""
    project = a_local_project(rules={"a.md": "a\n" * 500, "b.md": "b\n"})
    project.project().update()
    return project


def a_receiver(sender: MemoryProject) -> MemoryProject:
    """Another machine, with the committed files, an empty store, and a policy of its own."""
    return replace(sender.another_checkout(), layers={})


def changed(project: MemoryProject, name: str = "c.md", text: str = "c\n") -> MemoryProject:
    """The same project, with one more file, locked anew."""
    project.put(f"rules/{name}", text)
    project.project().update()
    return project


def push(
    project: MemoryProject,
    place: Reference = V1,
    *,
    key: PrivateKey | None = None,
    name: str | None = None,
    **said: object,
) -> PushResult:
    """What pushing comes to; with a key it is signed."""
    signed = None if key is None else signing(key)
    return project.project().push(place, name=name, signing=signed, **said)  # type: ignore[arg-type]  # as the test says


def pull(project: MemoryProject, place: Reference = V1, **said: object) -> PullResult:
    """What pulling comes to, with these options."""
    return project.project().pull(place, **said)  # type: ignore[arg-type]  # as the test says


def signing(key: PrivateKey) -> Signing:
    """Signs with the key, into no log."""
    return lambda statement: sign_with_key(statement, key)


def demand(project: MemoryProject, *keys: PrivateKey, bundle: str = NAME, threshold: int = 1, more: str = "") -> None:
    """The machine's policy says that so many of these keys must have signed; `more` is added below `trust:`."""
    signers = ", ".join(f"{{key: key-{number}.pub}}" for number in range(len(keys)))
    rule = f"{{bundle: '{bundle}', threshold: {threshold}, transparency_log: optional, signers: [{signers}]}}"
    project.layers[POLICY] = f"trust:\n  rules:\n  - {rule}\n{more}".encode()
    for number, key in enumerate(keys):
        project.layers[f"/etc/agent-sync/key-{number}.pub"] = key.public.pem


def revoked(*digests: str, reason: str = "leaked") -> str:
    """The lines of a policy, below `trust:`, that revoke these."""
    each = ", ".join(f"{{digest: '{digest}', reason: {reason}}}" for digest in digests)
    return f"  revoked: [{each}]\n"


def registry_of(project: MemoryProject, name: str = NAME) -> MemoryRegistry:
    """The registry in memory that the project pushes to."""
    return project.registries.registries[name]


def index_in(registry: MemoryRegistry, tag: str = "v1") -> Index:
    """The bundle's index."""
    found = registry.manifest(tag)
    assert isinstance(found, Index)
    return found


def part_in(registry: MemoryRegistry, number: int = 0, *, tag: str = "v1") -> Manifest:
    """The artifact of one of the bundle's parts."""
    found = registry.manifest(index_in(registry, tag).manifests[number + 1].digest)
    assert isinstance(found, Manifest)
    return found


def listed(manifest: Manifest, like: Descriptor) -> Descriptor:
    """How an index lists the manifest, under the title of another entry."""
    plain = manifest.descriptor
    return Descriptor(plain.media_type, plain.digest, plain.size, like.annotations)
