"""`python -m tests.mutants [NAME...]`: proof that the tests mean the mechanisms that they are about.

Each `NN-name.patch` beside this file takes one mechanism out; its first line names the tests that must turn red. The
patch is applied to a copy of the tree and these tests are run there. A mutant whose tests stay green is an error, and
so is a patch that does not apply, or a test that is red without the patch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_HEADER = "# tests: "
_RED = 1  # pytest's exit code for failed tests; others are for tests that could not be run


def main(wanted: list[str]) -> int:
    """The exit code: 0 if every mutant is found by its tests."""
    chosen = patches(wanted)
    if unknown := set(wanted) - {patch.stem for patch in chosen}:
        print(f"no such mutant: {', '.join(sorted(unknown))}")
        return 1
    survived = [patch.stem for patch in chosen if not _found(patch)]
    for name in survived:
        print(f"{name}: not found by its tests")
    return 1 if survived else 0


def patches(wanted: list[str]) -> list[Path]:
    """The patches beside this file, all or those of these names."""
    found = sorted(Path(__file__).parent.glob("*.patch"))
    return [patch for patch in found if not wanted or patch.stem in wanted]


def named_tests(patch: Path) -> list[str]:
    """The tests that must turn red."""
    first = patch.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(_HEADER), f"{patch.name} does not begin with {_HEADER!r}"
    return first.removeprefix(_HEADER).split()


def _found(patch: Path) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        shutil.copytree(_ROOT, copy, ignore=shutil.ignore_patterns(".*_cache", ".git", ".venv", "__pycache__"))
        before = _run(copy, named_tests(patch))
        applied = subprocess.run(["git", "apply", patch], cwd=copy, env=_environment(copy), check=False).returncode
        after = _run(copy, named_tests(patch)) if applied == 0 else None
    found = (before, applied, after) == (0, 0, _RED)
    print(
        f"{patch.stem}: {'found' if found else f'green before {before}, applied {applied}, red after {after}'}",
        flush=True,
    )
    return found


def _run(copy: Path, tests: list[str]) -> int:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=copy, env=_environment(copy), stdout=subprocess.DEVNULL, check=False).returncode


def _environment(copy: Path) -> dict[str, str]:
    """The copy is imported, wherever the environment was installed from; no repository around it is looked at."""
    paths = os.pathsep.join((str(copy), str(copy / "oci")))
    return {**os.environ, "PYTHONPATH": paths, "GIT_CEILING_DIRECTORIES": str(copy.parent)}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
