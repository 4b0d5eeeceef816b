"""Several at once, and what stays: pushers, receivers that share a store, and space that is reclaimed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.builders.bundle_machines import NAME, Site, a_publisher, a_receiver
from tests.real.docker_registry import DockerRegistry

_TAKE = ("--name", NAME, "--policy", "policy.yaml", "--write-lock")


@pytest.mark.parametrize("where", ["oci:{}/layout", "docker-registry"])
def test_two_pushers_at_once_leave_one_whole_bundle_at_the_tag(
    where: str, docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    place = f"{docker_registry.host}/raced/agents" if where == "docker-registry" else where.format(tmp_path)
    common = {f"same_{number}_md": f"{number}\n" * 100 for number in range(5)}
    sites = [a_publisher(tmp_path / name, **common, own_md=f"{name}\n") for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        digests = list(pool.map(lambda site: site.publish(f"{place}:v1"), [*sites, *sites]))
    receiver = a_receiver(tmp_path / "receiver")
    receiver.run("pull", f"{place}:v1", *_TAKE)
    assert receiver.run("bundle", "inspect", f"{place}:v1", "--json").document["digest"] in digests
    for digest in set(digests):
        receiver.run("pull", f"{place}@{digest}", *_TAKE, "--accept-signer-change")
    assert len(set(digests)) == 2


def test_sixteen_receivers_share_a_store(docker_registry: DockerRegistry, tmp_path: Path) -> None:
    sources = "".join(f"  - {{name: more-{n}, type: local, path: ./more-{n}/}}\n" for n in range(6))
    targets = "".join(f"  - {{source: more-{n}, destination: .more-{n}/}}\n" for n in range(6))
    publisher = a_publisher(tmp_path / "publisher")
    config = (
        (publisher.directory / "agent-sync.yaml").read_text().replace("targets:\n", f"{sources}targets:\n{targets}")
    )
    publisher.put("agent-sync.yaml", config)
    for number in range(6):
        publisher.put(f"more-{number}/x.md", f"{number}\n" * 30_000)
    publisher.run("update", "--yes")
    place = f"{docker_registry.host}/shared/agents:v1"
    publisher.publish(place)
    receivers = [a_receiver(tmp_path / f"receiver-{number}") for number in range(16)]
    for receiver in receivers:
        receiver.machine.variables["AGENT_SYNC_CACHE"] = str(tmp_path / "store")

    def take(receiver: Site) -> dict[str, str]:
        receiver.run("pull", place, *_TAKE)
        receiver.run("sync", "--offline", "--frozen", "--policy", "policy.yaml")
        return receiver.machine.outputs()

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(take, receivers))
    assert len(taken[0]) == 8
    assert taken == [taken[0]] * 16
    receivers[0].run("cache", "verify")


def test_what_vouches_for_a_lock_in_use_stays_when_space_is_reclaimed(tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    a_publisher(tmp_path / "publisher").publish(place)
    receiver = a_receiver(tmp_path / "receiver")
    receiver.run("pull", place, *_TAKE)
    listed = receiver.run("cache", "list").out
    assert "the bundle it came in" in listed
    assert receiver.run("cache", "gc", "--json").document["removed"] == []
    sync = ("sync", "--offline", "--frozen", "--policy", "policy.yaml")
    receiver.run(*sync)
    shutil.rmtree(receiver.directory / ".cursor")
    receiver.run("cache", "gc", "--keep-days", "0")
    assert "policy requires a signed lock" in receiver.run(*sync, code=6).err
    receiver.run("pull", place, *_TAKE)
    receiver.run(*sync)


def test_what_is_pushed_again_need_not_be_read_again_until_it_is_forgotten(tmp_path: Path) -> None:
    """The note that an artifact carries a blob goes with the blob."""
    place = f"oci-archive:{tmp_path}/agents.tar"
    publisher = a_publisher(tmp_path / "publisher")
    publisher.publish(place)
    notes = publisher.store / "records" / "carriers"
    assert len(list(notes.iterdir())) == 1
    publisher.run("cache", "gc")
    assert len(list(notes.iterdir())) == 1
    publisher.run("cache", "gc", "--keep-days", "0")
    assert list(notes.iterdir()) == []
    publisher.run("push", place, "--name", NAME)
    assert len(list(notes.iterdir())) == 1
