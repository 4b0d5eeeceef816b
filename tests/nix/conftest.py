"""A machine with Nix for each test, and one locked project for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders.directories_in_memory import a_directory_in_memory
from tests.builders.nix_projects import POLICY, NixProject, a_nix_project
from tests.real.https_files import serve_files
from tests.real.nix import Nix, a_nix


@pytest.fixture
def nix() -> Iterator[Nix]:
    """Nix with an empty store of its own."""
    with a_directory_in_memory() as directory:
        machine = a_nix(directory / "nix")
        yield machine
        machine.forget()


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> NixProject:
    """A locked project that is not to be changed; the server of its policy is gone."""
    with serve_files(authority=None) as server:
        return a_nix_project(tmp_path_factory.mktemp("locked"), server.publish("policy.md", POLICY))
