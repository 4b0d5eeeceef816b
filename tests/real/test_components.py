"""A missing component is a skip that says what to install, and a failure where every component is required."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders.repositories import a_git_repository
from tests.real.components import require, require_node_packages, require_real_rules
from tests.real.real_rules import the_real_rules


def test_an_installed_program_is_found() -> None:
    assert require("git").is_file()


def test_a_missing_program_skips_and_names_its_package(tmp_path: Path) -> None:
    os.environ.update(PATH=str(tmp_path), REQUIRE_REAL="")
    with pytest.raises(pytest.skip.Exception, match="apt-get install strace"):
        require("strace")


def test_a_missing_program_fails_where_everything_is_required(tmp_path: Path) -> None:
    os.environ.update(PATH=str(tmp_path), REQUIRE_REAL="1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install strace"):
        require("strace")


def test_the_packages_for_node_are_those_of_the_lock() -> None:
    assert (require_node_packages() / "@sigstore" / "verify" / "package.json").is_file()


def test_real_rules_that_nobody_named_skip() -> None:
    os.environ.update(REQUIRE_REAL="")
    os.environ.pop("REAL_RULES", None)
    with pytest.raises(pytest.skip.Exception, match="REAL_RULES"):
        require_real_rules()


def test_real_rules_that_are_not_there_fail_where_everything_is_required(tmp_path: Path) -> None:
    os.environ.update(REAL_RULES=str(tmp_path / "nowhere.bundle"), REQUIRE_REAL="1")
    with pytest.raises(pytest.fail.Exception, match=r"nowhere\.bundle"):
        require_real_rules()


def test_the_real_rules_hold_both_versions(tmp_path: Path) -> None:
    repository = the_real_rules(tmp_path / "rules.git")
    names = repository.git("ls-tree", "-r", "--name-only", "-z", "v2.0.0").rstrip("\0").split("\0")
    assert sum(name.endswith(".md") for name in names) == 817
    assert repository.resolve("v1.0.0^{commit}") != repository.resolve("v2.0.0^{commit}")


def test_the_same_calls_make_the_same_repository(tmp_path: Path) -> None:
    first = a_git_repository(tmp_path / "one.git", {"a.md": "x", "b/c.md": b"\xff\n"})
    second = a_git_repository(tmp_path / "two.git", {"b/c.md": b"\xff\n", "a.md": "x"})
    assert first.commit({"a.md": None}) == second.commit({"a.md": None})
    assert first.tag("v1", message="one") == second.tag("v1", message="one")
