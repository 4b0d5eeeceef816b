"""Run by test_update.py: forks one process for each `update`, which begins when SIGUSR1 tells it to.

Everything is imported before: a process to which strace is attached meanwhile makes no calls but those of its work.
It waits for a signal because that takes none of the calls that are made to fail, whenever strace attaches.
"""

from __future__ import annotations

import os
import signal
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
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # held back until the child asks for it
    for line in sys.stdin:
        directory = line.rstrip("\n")
        child = os.fork()
        if child == 0:
            signal.sigwait({signal.SIGUSR1})
            os._exit(update(directory, git=git))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], git=sys.argv[2] == "git")
