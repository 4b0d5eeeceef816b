"""Prints how many seconds it takes to load and validate the lock file that is named; one run per process."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

from agent_sync.__main__ import RARELY
from agent_sync.lock.file import read_lock

_SMALLEST = b"version: 1\ntool_map: spec-v1\nsources: []\noutputs: []\n"


def main(file: str) -> None:
    """Loads it with the collector as the program has it."""
    gc.set_threshold(RARELY)
    read_lock(_SMALLEST)  # loads what reading needs: that belongs to the start of the program, which other rows time
    started = time.perf_counter()
    read_lock(Path(file).read_bytes())
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1])
