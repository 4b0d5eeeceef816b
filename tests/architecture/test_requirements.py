"""The locked dependencies: exact, with hashes, consistent with each other and with what pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT

_LOCKS = ("bootstrap", "runtime", "dev")


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock: the version and the hashes of its files."""

    version: str
    hashes: frozenset[str]


def _lock(name: str) -> dict[str, Pin]:
    text = (ROOT / ".ci" / "requirements" / f"{name}.txt").read_text(encoding="ascii")
    logical = re.sub(r"\s*\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    pins = {}
    for line in filter(None, map(str.strip, logical)):
        pin = re.fullmatch(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)", line)
        assert pin is not None, f"not an exact version with hashes: {line}"
        pins[pin["name"]] = Pin(pin["version"], frozenset(pin["hashes"].split()))
    return pins


def test_every_line_is_an_exact_version_with_hashes() -> None:
    assert [name for name in _LOCKS if not _lock(name)] == []


def test_the_development_lock_holds_the_others_unchanged() -> None:
    others = _lock("bootstrap").items() | _lock("runtime").items()
    assert others - _lock("dev").items() == set()


def test_what_the_project_declares_is_locked_at_an_allowed_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime, bootstrap = _lock("runtime"), _lock("bootstrap")
    for declared, lock in (
        (project["project"]["dependencies"], runtime),
        (project["build-system"]["requires"], bootstrap),
    ):
        for requirement in map(Requirement, declared):
            assert lock[canonicalize_name(requirement.name)].version in requirement.specifier
