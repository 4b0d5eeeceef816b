"""Nix with a store, a configuration and a home of its own: nothing of the machine's Nix is seen, no network is used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders.environment import a_clean_environment
from tests.real.components import require

# Builders run as this user and see the machine: the tests' nixpkgs is made of its programs.
_CONFIGURATION = """\
experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters = {substituters}
trusted-public-keys = {keys}
flake-registry =
warn-dirty = false
"""


_EVALUATE = ("nix", "eval", "--json", "--impure")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of Nix ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Nix:
    """A machine with Nix; all of it lies below `directory`."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.directory / "store"

    @property
    def environment(self) -> dict[str, str]:
        """Of every program that is to see this Nix and no other."""
        return {
            **a_clean_environment(self.directory / "home", os.environ),
            "NIX_CONF_DIR": str(self.directory / "conf"),
            "NIX_STORE_DIR": str(self.store),
            "NIX_STATE_DIR": str(self.directory / "var"),
            "NIX_LOG_DIR": str(self.directory / "log"),
            **self.variables,
        }

    def run(
        self, *words: str, expect: int | None = 0, cwd: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> Ended:
        """A program of Nix, run to its end. `expect` is the exit code that it must have (None: any)."""
        ended = subprocess.run(
            words,
            cwd=cwd or self.directory,
            env={**self.environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        ran = Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode(errors="replace"))
        assert expect is None or ran.code == expect, f"{words} ended with {ran.code}\n{ran.out}{ran.err}"
        return ran

    def value(self, expression: str) -> Any:  # noqa: ANN401  # whatever JSON can say
        """What the expression comes to. It may read any file, which it may not in a flake."""
        return json.loads(self.run(*_EVALUATE, "--expr", expression).out)

    def refusal(self, expression: str) -> str:
        """What Nix says where the expression must not come to anything, with all that it shows of the way there."""
        ran = self.run(*_EVALUATE, "--show-trace", "--expr", expression, expect=None)
        assert ran.code != 0, ran.out
        return ran.err

    def forget(self) -> None:
        """The store is empty, and nothing of what was fetched is remembered."""
        for place in (self.store, self.directory / "var", self.directory / "home" / ".cache"):
            _remove(place)


def a_nix(directory: Path, *, substituters: str = "", keys: str = "") -> Nix:
    """A machine with Nix and an empty store below `directory`, which is made; without it the test does not run."""
    require("nix")
    for name in ("conf", "home"):
        (directory / name).mkdir(parents=True)
    (directory / "conf" / "nix.conf").write_text(_CONFIGURATION.format(substituters=substituters, keys=keys))
    return Nix(directory)


def _remove(place: Path) -> None:
    """Nix takes the right to write away from all that it keeps."""
    for directory, _, _ in os.walk(place):
        Path(directory).chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)
