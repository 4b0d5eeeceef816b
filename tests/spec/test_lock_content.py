"""Spec §4, §5: what the lock records of each kind of source (R016 - R032, R060, R061)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.repositories import Content, Executable, GitRepository, a_git_repository
from tests.real.git_http import serve_git
from tests.real.https_files import FileServer
from tests.real.ssh_keys import an_ssh_key


def sha256(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def git_config(repo: str, ref: str = "main", *, more: str = "", transforms: str = "") -> str:
    return (
        f"version: 1\nsources:\n  - name: rules\n    type: git\n    repo: {repo}\n    ref: {ref}\n{more}"
        f"targets:\n  - {{source: rules, tools: [cursor]}}\n{transforms}"
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[CommandMachine, GitRepository]]:
    """A machine whose one source is a repository served over smart HTTP."""
    files: dict[str, Content | None] = {
        "core/a.md": "a\n",
        "core/run.sh": Executable("#!/bin/sh\n"),
        ".hidden/h.md": "h\n",
    }
    repository = a_git_repository(tmp_path / "served" / "rules.git", files)
    with serve_git(tmp_path / "served") as server:
        machine = a_machine(tmp_path, {"agent-sync.yaml": git_config(server.url("rules.git"))})
        yield machine, repository


def test_r016_the_lock_records_identity_and_content_of_every_source(
    served: tuple[CommandMachine, GitRepository],
) -> None:
    machine, repository = served
    machine.run("update", "--yes")
    entry = machine.locked("rules")
    assert entry["repo"].endswith("/rules.git")
    assert entry["resolved"]["commit"] == repository.resolve("main")
    assert set(entry["resolved"]["files"]) == {".hidden/h.md", "core/a.md", "core/run.sh"}


def test_r017_the_lock_records_what_a_transform_made(tmp_path: Path) -> None:
    machine = a_local_machine(
        tmp_path, "variables: {who: me}\ntransforms:\n  - {source: rules, type: template}\n", t_md="{{ .who }}\n"
    )
    machine.run("update", "--yes")
    assert machine.locked("rules")["transformed"]["files"] == {"t.md": {"sha256": sha256("me\n")}}


def test_r018_every_source_has_its_status(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    assert [source["status"] for source in machine.lock["sources"]] == ["ok"]


def test_r021_r022_r023_commit_tree_and_file_hashes_are_those_of_git(
    served: tuple[CommandMachine, GitRepository],
) -> None:
    machine, repository = served
    machine.run("update", "--yes")
    resolved = machine.locked("rules")["resolved"]
    assert resolved["commit"] == repository.resolve("main")
    assert resolved["tree"] == repository.resolve("main^{tree}")
    assert resolved["files"]["core/a.md"] == {"sha256": sha256("a\n")}
    assert resolved["files"]["core/run.sh"] == {"sha256": sha256("#!/bin/sh\n"), "executable": True}


@pytest.mark.parametrize("moved", ["branch", "tag"])
def test_r024_the_locked_commit_holds_when_the_ref_moves(tmp_path: Path, moved: str) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "old\n"})
    repository.tag("v1")
    machine = a_machine(
        tmp_path, {"agent-sync.yaml": git_config(str(repository.path), "main" if moved == "branch" else "v1")}
    )
    machine.run("update", "--yes")
    repository.commit({"a.md": "new\n"})
    repository.git("tag", "--force", "v1", "main")
    machine.run("sync", environment={"AGENT_SYNC_CACHE": str(tmp_path / "another-store")})
    assert machine.outputs() == {".cursor/rules/a.md": "old\n"}


@pytest.mark.parametrize("kind", ["tag", "commit"])
def test_r025_r026_what_must_be_signed_is_refused_unsigned_and_taken_signed(tmp_path: Path, kind: str) -> None:
    key = an_ssh_key(tmp_path / "key")
    repository = a_git_repository(tmp_path / "rules")
    repository.commit({"a.md": "a\n"})
    repository.tag("unsigned", message="by nobody")
    repository.commit({"a.md": "signed\n"}, signed_by=key.signer)
    repository.tag("signed", message="by the key", signed_by=key.signer)
    more = f"    signed: {kind}\n    allowed_signers: keys/allowed\n"
    machine = a_machine(tmp_path, {"keys/allowed": key.allowed_signer("me@example.com")})
    machine.configure(git_config(str(repository.path), "unsigned", more=more))
    ran = machine.run("update", "--yes", expect=6)
    assert "rules" in ran.err
    assert not machine.exists("agent-sync.lock")
    machine.configure(git_config(str(repository.path), "signed", more=more))
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "signed\n"}


def test_r027_a_repository_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a\n"})
    machine = a_machine(tmp_path)
    listed = 'security: {repositories: ["https://github.com/acme/*"]}\n'
    machine.configure(git_config(str(repository.path)) + listed)
    ran = machine.run("update", "--yes", expect=6)
    assert "https://github.com/acme/*" in ran.err
    assert not machine.exists("agent-sync.lock")


def url_config(url: str, checksum: str | None) -> str:
    line = "" if checksum is None else f"    checksum: {checksum}\n"
    return (
        f'version: 1\nsources:\n  - name: policy\n    type: url\n    url: "{url}"\n{line}'
        "targets:\n  - {source: policy, tools: [cursor]}\n"
    )


def test_r028_a_url_without_a_checksum_is_refused(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": url_config("https://example.com/policy.md", None)})
    assert "checksum" in machine.run("update", "--yes", expect=3).err


def test_r029_fetched_bytes_are_verified_before_anything_accepts_them(tmp_path: Path, http_files: FileServer) -> None:
    url = http_files.publish("r029/policy.md", b"honest\n")
    machine = a_machine(tmp_path, {"agent-sync.yaml": url_config(url, f"sha256:{sha256(b'honest')}")})
    ran = machine.run("update", "--yes", expect=5)
    assert "policy" in ran.err
    assert sha256("honest\n") in ran.err
    assert not machine.exists("agent-sync.lock")
    blobs = machine.home / ".cache" / "agent-sync" / "store" / "blobs" / "sha256"
    assert not blobs.exists() or list(blobs.iterdir()) == []
    machine.configure(url_config(url, f"sha256:{sha256('honest' + chr(10))}"))
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/policy.md": "honest\n"}


def test_r030_a_local_path_is_relative_to_the_project_root(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    machine.run("update", "--yes", "--config", str(machine.project / "agent-sync.yaml"), where=elsewhere)
    machine.run("sync", "--config", "../project/agent-sync.yaml", where=elsewhere)
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}
    assert list(elsewhere.iterdir()) == []


def test_r031_r032_a_local_source_lists_every_file_as_the_others_do(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.put("rules/sub/.hidden", "h\n")
    machine.put("rules/bin/tool", "#!/bin/sh\n", executable=True)
    machine.run("update", "--yes")
    assert machine.locked("rules")["resolved"]["files"] == {
        "a.md": {"sha256": sha256("a\n")},
        "bin/tool": {"sha256": sha256("#!/bin/sh\n"), "executable": True},
        "sub/.hidden": {"sha256": sha256("h\n")},
    }


def test_r060_two_sources_of_one_name_in_the_lock_are_refused(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    lock = machine.lock_bytes.decode()
    entry = lock[lock.index("  - name: rules") : lock.index("outputs:")]
    machine.put("agent-sync.lock", lock.replace("outputs:", entry + "outputs:"))
    assert "rules" in machine.run("sync", expect=4).err
    assert machine.outputs() == {}


@pytest.mark.parametrize(
    "orphan",
    [
        "outputs:\n  - source: gone\n    to: .cursor/rules/\n",
        "rendered:\n  recipe: sha256:"
        + "0" * 64
        + "\n  files:\n    .cursor/rules/a.md:\n      sha256: "
        + f'"{"0" * 64}"'
        + "\n      source: gone\n",
    ],
)
def test_r061_a_reference_to_an_absent_source_is_refused(tmp_path: Path, orphan: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    lock = machine.lock_bytes.decode()
    machine.put("agent-sync.lock", lock[: lock.index("outputs:")] + orphan)
    assert "gone" in machine.run("sync", expect=4).err
    assert machine.outputs() == {}
