"""Pushes once for each repository that it is told of, each time in a process of its own, which may be killed.

The number of the process is in a file before it begins: whoever serves the registry knows whom to kill. A program and
not a module: `python -m tests.faults.pushing_driver PROJECT HOST REPOSITORY...`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent_sync import open_project


def push(project: str, place: str) -> None:
    open_project(project, environment={"HOME": f"{project}-home"}).push(place, name="acme/agents")


def main(project: str, host: str, *repositories: str) -> None:
    push(project, f"{host}/warm/agents:v1")  # what is imported here need not be imported in each child
    for repository in repositories:
        child = os.fork()
        if child == 0:
            Path(project, f"{repository}.pid").write_text(str(os.getpid()))
            push(project, f"{host}/{repository}/agents:v1")
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
