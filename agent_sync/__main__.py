"""The program: `--version`, `nix hash PATH`, and what a receipt can answer, are answered here, before anything heavy is
loaded.
"""

from __future__ import annotations

import gc
import os
import sys
import time

RARELY = 100_000  # new objects between two collections; at 700 they take a tenth of the time, and find nothing
_REPEATABLE = frozenset({"check", "status", "sync"})  # only these commands leave receipts


def main() -> int:
    """Return the exit code of the command in `sys.argv`."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        return _version()
    try:
        if not _REPEATABLE.isdisjoint(arguments) and _repeated(arguments):
            return 0
        gc.set_threshold(RARELY)
        if arguments[:2] == ["nix", "hash"] and len(arguments) == 3 and _hashed(arguments[2]):
            return 0
        from agent_sync.cli.program import main as run

        run(arguments)
    except KeyboardInterrupt:  # while it was being loaded
        sys.stderr.write("interrupted; nothing half-written\n")
        return 130


def _repeated(arguments: list[str]) -> bool:
    """Return whether a receipt has given the answer."""
    from agent_sync.receipt.replay import replay

    return replay(arguments, os.environ, now_ns=time.time_ns())


def _hashed(path: str) -> bool:
    """Return whether the hash was printed; if not, the command says why. Loading that takes as long as 10,000 files."""
    if path.startswith("-"):
        return False
    from agent_sync.adapters.nix import nar_hash
    from agent_sync.errors import AgentSyncError

    try:
        sys.stdout.write(nar_hash(path, poll=lambda: None) + "\n")
    except AgentSyncError:
        return False
    return True


def _version() -> int:
    from agent_sync._version import __version__

    sys.stdout.write(f"agent-sync {__version__}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
