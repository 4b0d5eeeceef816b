"""Prints how many seconds it takes to pack the directory that is named into the store; one run per process."""

from __future__ import annotations

import gc
import sys
import time

from agent_sync import open_project
from agent_sync.__main__ import RARELY
from agent_sync.limits import Limits
from agent_sync.sources.local import find_files, pack_directory


def main(path: str) -> None:
    """Finds, reads, hashes and stores its files, with the collector as the program has it."""
    gc.set_threshold(RARELY)
    world = open_project().world
    directory = world.at(path)
    started = time.perf_counter()
    found = find_files(directory, subject="the directory", limits=Limits())
    pack_directory(directory, found, world, subject="the directory")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1])
