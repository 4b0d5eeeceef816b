"""What `nix export` writes is a binary cache to Nix itself: copied from, substituted from, signed, tampered with."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_sync.operations.push import PushRequest
from agent_sync_oci.reference import LayoutPlace
from tests.architecture.tree import ROOT
from tests.builders.nix_projects import NixProject
from tests.real.https_files import serve_folder
from tests.real.nix import Nix, a_nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"


def export(project: NixProject, nix: Nix, folder: Path, *, secret_key: bytes | None = None) -> list[str]:
    """The paths of the project's lock, which that folder serves now."""
    result = project.opened(**nix.environment).nix_export(str(folder), secret_key=secret_key)
    assert len(result.paths) == 7  # four sources, what transforms and overrides made, and one of them twice
    return [each.path for each in result.paths]


def a_key(name: str) -> tuple[bytes, str]:
    """A secret key as Nix writes it, and its public half."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    secret = b64encode(private.private_bytes_raw() + public)
    return f"{name}:".encode() + secret, f"{name}:{b64encode(public).decode()}"


@pytest.fixture
def other(nix: Nix, tmp_path: Path) -> Iterator[Callable[..., Nix]]:
    """Makes a second machine whose store lies where the first one's does: paths are the same on both."""

    def make(**settings: str) -> Nix:
        nix.forget()
        (nix.folder / "conf").rename(nix.folder / "conf-before")
        machine = a_nix(nix.folder, **settings)
        return machine

    yield make


def test_nix_copies_from_it_without_a_signature(nix: Nix, locked: NixProject, tmp_path: Path) -> None:
    paths = export(locked, nix, tmp_path / "cache")
    nix.run("nix", "copy", "--from", f"file://{tmp_path}/cache", *paths)
    nix.run("nix-store", "--verify-path", *paths)
