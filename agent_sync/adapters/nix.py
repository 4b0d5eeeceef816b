"""Nix, as it is installed here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from agent_sync.adapters.nar_hash import nar_hash
from agent_sync.adapters.program import Bounds, Completed, run
from agent_sync.errors import FileSystemError
from agent_sync.nix.store_paths import STORE_DIR
from agent_sync.ports import Cancellation

_TIMEOUT_S = 3600.0
_AT_ONCE = 500  # paths for one process: a command line is not as long as one likes


class InstalledNix:
    """Implements `ports.Nix` with the program `nix`, found on PATH, and the settings of its user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def store_dir(self) -> str:
        """What Nix itself takes it to be."""
        return self._environment.get("NIX_STORE_DIR") or STORE_DIR

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        """Without Nix: see `nar_hashing`."""
        return nar_hash(os.path.abspath(path), poll=cancellation.check)

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        """These store paths are in the store, from the binary cache in the directory `cache`."""
        bounds = Bounds("Nix's store", _TIMEOUT_S, poll=cancellation.check)
        with _address(cache) as address:
            argv = ("nix", "--extra-experimental-features", "nix-command", "copy", "--from", address)
            for start in range(0, len(paths), _AT_ONCE):
                wanted = paths[start : start + _AT_ONCE]
                _refuse_failed(run((*argv, *wanted), bounds, environment=self._environment, directory=cache))


@contextmanager
def _address(directory: str) -> Iterator[str]:
    """What Nix calls a cache in that directory. Nix 2.8 does not decode `%20`, so a plain link stands in for it."""
    if quote(directory) == directory:
        yield f"file://{directory}"
        return
    with tempfile.TemporaryDirectory() as plain:
        os.symlink(directory, f"{plain}/cache")
        yield f"file://{plain}/cache"


def _refuse_failed(completed: Completed) -> None:
    if completed.exit_code != 0:
        raise FileSystemError(
            subject="Nix's store",
            check=f"nix copy ended with {completed.exit_code}: {_last_line(completed.stderr)}",
            remedy="see whether Nix works here: nix store ping",
        )


def _last_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip() and "--show-trace" not in line]
    return lines[-1].strip() if lines else "no output"
