"""Two deliveries across an air gap: the receiver has no network interface, no HOME, no upstream and no store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.bundle_machines import NAME, Site, a_publisher, a_receiver
from tests.builders.repositories import a_git_repository
from tests.real.no_network import without_network

_GIT = """\
version: 1
bundle: {{name: acme/agents}}
sources:
  - name: team
    type: git
    repo: {repository}
    ref: {ref}
  - name: house
    type: local
    path: ./house/
targets:
  - source: team
    tools: [cursor, claude-code]
  - source: house
    tools: [cursor]
transforms:
  - source: house
    type: template
variables: {{team: harbour}}
overrides:
  - target: style.md
    strategy: append
    file: local/more.md
"""
_ASKING = "import socket; socket.create_connection(('127.0.0.1', 22), timeout=5)"


@dataclass(frozen=True)
class CutOff:
    """A receiver whose commands run in a network namespace without interfaces, and without a HOME."""

    site: Site
    wrapper: tuple[str, ...]

    def run(self, *words: str, code: int = 0) -> str:
        """What the program says, on both streams."""
        ended = self._run(sys.executable, "-m", "agent_sync", *words)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def has_network(self) -> bool:
        """Whether as much as loopback can be reached."""
        ended = self._run(sys.executable, "-c", _ASKING)
        return "unreachable" not in ended.stderr

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        store = str(self.site.directory.parent / "store")
        return subprocess.run(
            [*self.wrapper, *words],
            cwd=self.site.directory,
            env={"PATH": os.environ["PATH"], "AGENT_SYNC_CACHE": store},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def publisher(tmp_path: Path) -> Site:
    """A git source, a local one with a template, an override."""
    site = a_publisher(tmp_path / "publisher")
    repository = a_git_repository(tmp_path / "team", {"style.md": "# Style\n", "skills/review/SKILL.md": "# Review\n"})
    repository.tag("v1")
    repository.commit({"style.md": "# Style\n- Whole words.\n", "new.md": "# New\n"}, message="more")
    repository.tag("v2")
    site.put("house/house.md", "# {{ .team }}\n")
    site.put("local/more.md", "- In this house: small functions.\n")
    return site


@pytest.fixture
def receiver(tmp_path: Path) -> CutOff:
    return CutOff(a_receiver(tmp_path / "receiver"), without_network())


def deliver(publisher: Site, ref: str, archive: Path) -> dict[str, str]:
    """The archive is made at the publisher, who has synced it; what it is synced to comes back."""
    repository = publisher.directory.parent.parent / "team"
    publisher.put("agent-sync.yaml", _GIT.format(repository=repository, ref=ref))
    publisher.run("update", "--yes")
    publisher.run("sync", "--prune")
    publisher.run("push", f"oci-archive:{archive}", "--sign", "--key", "release.key")
    return publisher.machine.outputs()


def test_two_deliveries_arrive_without_a_network(publisher: Site, receiver: CutOff, tmp_path: Path) -> None:
    first = deliver(publisher, "v1", tmp_path / "first.tar")
    second = deliver(publisher, "v2", tmp_path / "second.tar")
    for gone in ("publisher", "team"):
        shutil.rmtree(tmp_path / gone)
    assert not receiver.has_network()
    words = ("bundle", "verify", "oci-archive:../../first.tar", "--name", NAME, "--policy", "policy.yaml")
    assert ": trusted" in receiver.run(*words)
    for archive, outputs in (("first.tar", first), ("second.tar", second)):
        place = f"oci-archive:../../{archive}"
        policy = ("--policy", "policy.yaml")
        assert "wrote agent-sync.lock" in receiver.run("pull", place, "--name", NAME, *policy, "--write-lock")
        receiver.run("sync", "--offline", "--frozen", "--prune", *policy)
        receiver.run("check", "--strict", "--deep")
        assert receiver.site.machine.outputs() == outputs
    assert first != second


def test_what_was_changed_on_the_way_does_not_arrive(publisher: Site, receiver: CutOff, tmp_path: Path) -> None:
    deliver(publisher, "v1", tmp_path / "first.tar")
    content = (tmp_path / "first.tar").read_bytes()
    place = "oci-archive:../../changed.tar"
    words = ("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    for at in range(600, len(content), len(content) // 9):
        (tmp_path / "changed.tar").write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        told = receiver.site.run(*words, "--json", code=None)
        assert told.code in (0, 4, 5, 6, 7, 8, 9, 13, 17)
        if told.code == 0:  # what was changed is in no bundle: padding, or an attestation that nobody asked for
            receiver.site.run("sync", "--offline", "--frozen", "--policy", "policy.yaml")
            assert receiver.site.machine.outputs() == publisher.machine.outputs()
            shutil.rmtree(receiver.site.store)
            (receiver.site.directory / "agent-sync.lock").unlink()
        else:
            assert not receiver.site.machine.exists("agent-sync.lock")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.7, 0.99, 0.9999])
def test_half_an_archive_is_none(publisher: Site, receiver: CutOff, tmp_path: Path, part: float) -> None:
    """A stick that was pulled out too soon."""
    deliver(publisher, "v1", tmp_path / "first.tar")
    content = (tmp_path / "first.tar").read_bytes()
    (tmp_path / "half.tar").write_bytes(content[: int(len(content) * part)])
    words = ("oci-archive:../../half.tar", "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    told = receiver.site.run("pull", *words, code=None)
    assert told.code in (5, 8, 17)
    assert "help: " in told.err
    assert not receiver.site.machine.exists("agent-sync.lock")
