"""The outputs of a lock as one store path: what `sync` writes, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.builders.nix_projects import SYSTEM, NixProject, a_stub_of_nixpkgs, files_below
from tests.builders.trees import sha256
from tests.real.nix import Ended, Nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"
HOME = ROOT / "tests" / "nix" / "home.nix"


def build(nix: Nix, expression: str, *, expect: int | None = 0) -> Ended:
    """The expression, in which `pkgs` is the tests' nixpkgs, built."""
    stub = nix.directory / "stub"
    if not stub.exists():
        a_stub_of_nixpkgs(stub)
    whole = f'let pkgs = import {stub}/packages.nix "{SYSTEM}"; in {expression}'
    return nix.run("nix", "build", "--impure", "--no-link", "--json", "--expr", whole, expect=expect)


def outputs(project: NixProject) -> str:
    return f'{LIBRARY}.outputs {{ inherit pkgs; lockFile = {project.lock}; cache = "file://{project.store}"; }}'


def test_they_are_what_sync_writes(nix: Nix, locked: NixProject) -> None:
    [result] = json.loads(build(nix, outputs(locked)).out)
    assert files_below(Path(result["outputs"]["out"])) == locked.outputs()


def test_the_list_of_outputs_is_what_sync_writes(nix: Nix, locked: NixProject) -> None:
    listed = nix.value(f"{LIBRARY}.outputFiles {locked.lock}")
    assert listed == {
        path: {"sha256": sha256(content), "executable": executable}
        for path, (content, executable) in locked.outputs().items()
    }


def test_what_transforms_remove_is_not_there(nix: Nix, locked: NixProject, tmp_path: Path) -> None:
    project = locked.copied(tmp_path)
    change_source(project, "own", lambda source: source.update(transformed=REMOVED))
    [result] = json.loads(build(nix, outputs(project)).out)
    found = files_below(Path(result["outputs"]["out"]))
    assert ".custom/naming.md" in found
    assert not [path for path in found if path.startswith(".custom/deep")]
    assert not (Path(result["outputs"]["out"]) / ".custom" / "deep").exists()


REMOVED = {"recipe": f"sha256:{'0' * 64}", "removed": ["deep/naïve file's.md"]}
Change = Callable[[dict[str, Any]], object]


def change_source(project: NixProject, name: str, change: Change) -> None:
    sources = project.data["sources"]
    change(next(source for source in sources if source["name"] == name))
    project.relock(sources=sources)


def _claim_other_bytes(source: dict[str, Any]) -> None:
    source["resolved"]["files"]["naming.md"]["sha256"] = sha256("other bytes")


def _claim_another_mode(source: dict[str, Any]) -> None:
    source["resolved"]["files"]["naming.md"]["executable"] = True


def _hide_a_file(source: dict[str, Any]) -> None:
    del source["resolved"]["files"]["naming.md"]


def _claim_one_more(source: dict[str, Any]) -> None:
    source["resolved"]["files"]["more.md"] = {"sha256": sha256("more")}


@pytest.mark.parametrize("tamper", [_claim_other_bytes, _claim_another_mode, _hide_a_file, _claim_one_more])
def test_a_lock_whose_list_of_files_is_not_its_tree_is_refused(
    nix: Nix, locked: NixProject, tmp_path: Path, tamper: Change
) -> None:
    project = locked.copied(tmp_path)
    change_source(project, "own", tamper)
    assert "builder for" in build(nix, outputs(project), expect=1).err


def test_nothing_in_a_lock_reaches_the_shell(nix: Nix, locked: NixProject, tmp_path: Path) -> None:
    project = locked.copied(tmp_path)
    trap = "a'$(touch /tmp/agent-sync-was-here)'/"
    project.relock(outputs=[{"source": "own", "to": trap}, {"source": "policy", "to": trap}])
    [result] = json.loads(build(nix, outputs(project)).out)
    assert trap + "naming.md" in files_below(Path(result["outputs"]["out"]))
    assert not Path("/tmp/agent-sync-was-here").exists()


def test_the_module_for_home_manager_links_every_output(nix: Nix, locked: NixProject) -> None:
    lock = f'lockFile = {locked.lock}; cache = "file://{locked.store}"; directory = "work"; root = null; from = null;'
    settings = f"{{ enable = true; package = null; locks.rules = {{ {lock} }}; }}"
    module = f"module = {ROOT}/nix/home-manager.nix"
    [result] = json.loads(build(nix, f"import {HOME} {{ inherit pkgs; {module}; settings = {settings}; }}").out)
    home = Path(result["outputs"]["out"])
    assert files_below(home / "work") == locked.outputs()
    assert [place.name for place in home.iterdir()] == ["work"]
