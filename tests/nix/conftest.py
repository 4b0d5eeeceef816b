"""A machine with Nix for each test, removed after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.nix import Nix, a_nix


@pytest.fixture
def nix(tmp_path: Path) -> Iterator[Nix]:
    """Nix with an empty store of its own."""
    machine = a_nix(tmp_path / "nix")
    yield machine
    machine.forget()
