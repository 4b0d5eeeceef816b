"""Run by test_update.py: forks one process for each `update`, which begins when it is told.

Everything is imported before: a process to which strace is attached meanwhile makes no calls but those of its work.
"""

from __future__ import annotations

import os
import sys

from agent_sync import open_project
from agent_sync.errors import AgentSyncError


def update(directory: str, *, git: bool) -> int:
    """The exit code of an `update` by the `git` command or by libgit2."""
    home = f"{directory}-home"
    environment = {"HOME": home, "PATH": os.defpath if git else home, "AGENT_SYNC_CACHE": f"{home}/cache"}
    try:
        open_project(directory, environment=environment).update().raise_failures()
    except AgentSyncError as error:
        return error.exit_code
    return 0


def main(warm: str, *, git: bool) -> None:
    update(warm, git=git)
    for line in sys.stdin:
        directory = line.rstrip("\n")
        child = os.fork()
        if child == 0:
            with open(f"{directory}-begin", "rb"):  # a fifo: opened when somebody opens its other end
                os._exit(update(directory, git=git))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], git=sys.argv[2] == "git")
