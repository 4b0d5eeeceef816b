"""The mutants fit the code: what `make mutants` runs can be applied and found."""

from __future__ import annotations

import subprocess

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
