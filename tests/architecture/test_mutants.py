"""The mutants fit the code, and `make mutants` reports each one that its tests do not find."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.mutants.__main__ import named_tests, patches
from tests.real.components import require


def test_every_mutant_applies() -> None:
    checked = {patch: [str(require("git")), "apply", "--check", str(patch)] for patch in patches([])}
    failed = [patch.name for patch, words in checked.items() if subprocess.run(words, cwd=ROOT, check=False).returncode]
    assert checked
    assert failed == []


def test_every_test_that_must_turn_red_exists() -> None:
    named = {test for patch in patches([]) for test in named_tests(patch)}
    missing = []
    for test in named:
        path, _, name = test.partition("::")
        if f"def {name.partition('[')[0]}(" not in (ROOT / path).read_text(encoding="utf-8"):
            missing.append(test)
    assert missing == []


_PATCH = """\
# tests: {tests}
diff --git a/answer.py b/answer.py
--- a/answer.py
+++ b/answer.py
@@ -1 +1 @@
-{before}
+{after}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A program of one line, its tests, and the mutants of the test."""
    (tmp_path / "answer.py").write_text("ANSWER = 42\n")
    tests = "from answer import ANSWER\n\ndef test_means_it():\n    assert ANSWER == 42\n"
    tests += "\ndef test_proves_nothing():\n    assert ANSWER\n\ndef test_is_red():\n    assert ANSWER == 7\n"
    (tmp_path / "test_answer.py").write_text(tests)
    (tmp_path / "tests" / "mutants").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "mutants" / "__main__.py", tmp_path / "tests" / "mutants")
    return tmp_path


@pytest.mark.parametrize(
    ("tests", "before", "after", "told"),
    [
        ("test_answer.py::test_means_it", "ANSWER = 42", "ANSWER = 41", "01-answer: found"),
        ("test_answer.py::test_proves_nothing", "ANSWER = 42", "ANSWER = 41", "green before 0, applied 0, red after 0"),
        ("test_answer.py::test_means_it", "ANSWER = 43", "ANSWER = 41", "green before 0, applied 1, red after None"),
        ("test_answer.py::test_is_red", "ANSWER = 42", "ANSWER = 41", "green before 1, applied 0, red after 1"),
        ("test_answer.py::test_means_it", "ANSWER = 42", "ANSWER =", "green before 0, applied 0, red after 4"),
    ],
    ids=["found", "stays green", "does not apply", "is red without it", "breaks the tests themselves"],
)
def test_only_a_mutant_that_turns_its_tests_red_is_found(
    tree: Path, tests: str, before: str, after: str, told: str
) -> None:
    patch = _PATCH.format(tests=tests, before=before, after=after)
    (tree / "tests" / "mutants" / "01-answer.patch").write_text(patch)
    ran = _run_mutants(tree)
    assert told in ran.stdout
    assert ran.returncode == (0 if told == "01-answer: found" else 1)
    assert ("01-answer: not found by its tests" in ran.stdout) == (ran.returncode == 1)
    assert (tree / "answer.py").read_text() == "ANSWER = 42\n"


def test_a_name_of_no_mutant_is_an_error(tree: Path) -> None:
    ran = _run_mutants(tree, "99-missing")
    assert (ran.returncode, ran.stdout) == (1, "no such mutant: 99-missing\n")


def _run_mutants(tree: Path, *names: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "tests.mutants", *names)
    return subprocess.run(words, cwd=tree, capture_output=True, text=True, check=False, timeout=120)
