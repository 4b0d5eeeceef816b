"""The SSH server lets git in, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.builders.repositories import a_git_repository
from tests.real.sshd import SshServer


def _run(*words: str, ssh_command: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GIT_SSH_COMMAND": ssh_command} | variables
    return subprocess.run(
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
    )


def test_git_lists_a_repository_by_url_and_in_the_short_form(tmp_path: Path, sshd: SshServer) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "one"})
    for address in (sshd.url(repository.path), sshd.short_url(repository.path)):
        listed = _run("git", "ls-remote", address, ssh_command=sshd.ssh_command)
        assert repository.resolve("HEAD") in listed.stdout, listed.stderr
    assert sshd.commands == [f"git-upload-pack '{repository.path}'"] * 2


def test_git_clones_over_protocol_two(tmp_path: Path, sshd: SshServer) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "one"})
    packets = tmp_path / "packets"
    words = ("git", "clone", "--quiet", sshd.url(repository.path), str(tmp_path / "copy"))
    cloned = _run(*words, ssh_command=sshd.ssh_command, GIT_TRACE_PACKET=str(packets))
    assert cloned.returncode == 0, cloned.stderr
    assert (tmp_path / "copy" / "a.md").read_text() == "one"
    assert "< version 2" in packets.read_text()


def test_another_command_than_gits_is_refused(tmp_path: Path, sshd: SshServer) -> None:
    marker = tmp_path / "executed"
    configuration = sshd.ssh_command.split()[-1]
    attempt = _run("ssh", "-F", configuration, "127.0.0.1", f"touch {marker}")
    assert attempt.returncode != 0
    assert not marker.exists()
    assert sshd.commands == [f"touch {marker}"]


def test_a_server_with_an_unknown_host_key_is_refused_by_the_client(tmp_path: Path, sshd: SshServer) -> None:
    repository = a_git_repository(tmp_path / "rules.git", {"a.md": "one"})
    sshd.known_hosts.write_text("")
    listed = _run("git", "ls-remote", sshd.url(repository.path), ssh_command=sshd.ssh_command)
    assert "Host key verification failed" in listed.stderr
    assert sshd.commands == []
