"""What the standard error of a failed transfer means."""

from __future__ import annotations

import pytest

from agent_sync.adapters.git.environment import GitAddress, transfer_failed
from agent_sync.errors import AgentSyncError, FileSystemError, NetworkError

_ADDRESS = GitAddress("https://host.test/rules", "https")


def failed(stderr: str) -> AgentSyncError:
    return transfer_failed(_ADDRESS, stderr, "/cache/tmp/1/fetched.git")


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output\n",
        "error: file write error: Disk quota exceeded\n",
        "fatal: failed to make directory '/cache/tmp/1/fetched.git/refs/fetched': Input/output error\n",
        "fatal: unable to create '/cache/tmp/1/fetched.git/shallow.lock': Read-only file system\n",
    ],
)
def test_a_fault_of_the_disk_is_told_of_the_temporary_repository(stderr: str) -> None:
    error = failed(stderr)
    assert isinstance(error, FileSystemError)
    assert error.exit_code == 17
    assert "/cache/tmp/1/fetched.git" in error.subject
    assert stderr.splitlines()[0] in error.check


def test_a_full_disk_of_the_remote_is_the_remotes() -> None:
    error = failed("remote: fatal: write error: No space left on device\nfatal: the remote end hung up unexpectedly\n")
    assert isinstance(error, NetworkError)
