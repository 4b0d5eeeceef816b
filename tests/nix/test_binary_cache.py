"""What `nix export` writes is a binary cache to Nix itself: copied from, substituted from, signed, tampered with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.errors import FileSystemError, UsageError
from agent_sync_oci.reference import LayoutReference
from tests.architecture.tree import ROOT
from tests.builders.nix_projects import NixProject
from tests.real.https_files import serve_directory
from tests.real.nix import Nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def export(project: NixProject, nix: Nix, directory: Path, *, secret_key: bytes | None = None) -> list[str]:
    """The paths of the project's lock, which that directory serves now."""
    result = project.opened(**nix.environment).nix_export(str(directory), secret_key=secret_key)
    assert len(result.paths) == 6  # four sources, what transforms made, what overrides made
    return [each.path for each in result.paths]


def from_store(project: NixProject) -> str:
    return f'{LIBRARY}.sources {{ lockFile = {project.lock}; from = "store"; }}'


def test_nix_copies_from_it_without_a_signature(nix: Nix, locked: NixProject, cache: Path) -> None:
    paths = export(locked, nix, cache)
    nix.run("nix", "copy", "--from", f"file://{cache}", *paths)
    nix.run("nix-store", "--verify-path", *paths)


def test_it_is_a_substituter_over_http(nix: Nix, locked: NixProject, cache: Path) -> None:
    paths = export(locked, nix, cache)
    with serve_directory(cache) as address:
        found = json.loads(
            nix.run(
                *("nix", "eval", "--json", "--impure", "--expr", from_store(locked)),
                variables={"NIX_CONFIG": f"substituters = {address}"},
            ).out
        )
    assert set(found.values()) < set(paths)
    nix.run("nix-store", "--verify-path", *found.values())


def test_a_layout_of_push_serves_both_ways(nix: Nix, locked: NixProject, cache: Path) -> None:
    pushed = locked.opened().push(LayoutReference(str(cache)), name="acme/agents")
    index = (cache / "index.json").read_bytes()
    paths = export(locked, nix, cache)
    assert (cache / "index.json").read_bytes() == index
    assert locked.opened().push(LayoutReference(str(cache)), name="acme/agents").digest == pushed.digest
    fetched = nix.value(f"{LIBRARY}.sources {{ lockFile = {locked.lock}; cache = {cache}; }}")
    assert set(fetched.values()) < set(paths)
    nix.forget()
    nix.run("nix", "copy", "--from", f"file://{cache}", *paths)


def test_a_directory_of_export_becomes_a_layout_of_push(nix: Nix, locked: NixProject, cache: Path) -> None:
    export(locked, nix, cache)
    locked.opened().push(LayoutReference(str(cache)), name="acme/agents")
    assert nix.value(f"{LIBRARY}.sources {{ lockFile = {locked.lock}; cache = {cache}; }}")


def test_a_signature_is_the_one_that_nix_would_make(nix: Nix, locked: NixProject, cache: Path) -> None:
    secret, public = a_key(nix, "cache.example.com-1")
    paths = export(locked, nix, cache, secret_key=secret)
    without_addresses(cache)
    nix.run(*copy(cache, paths), variables={"NIX_CONFIG": f"trusted-public-keys = {public}"})
    nix.forget()
    _, another = a_key(nix, "cache.example.com-1")
    refused = nix.run(*copy(cache, paths), variables={"NIX_CONFIG": f"trusted-public-keys = {another}"}, expect=1)
    assert "lacks a valid signature" in refused.err


def a_key(nix: Nix, name: str) -> tuple[bytes, str]:
    """A secret key that Nix made, and its public half."""
    secret = nix.run("nix", "key", "generate-secret", "--key-name", name).out
    file = nix.directory / "secret"
    file.write_text(secret)
    public = nix.run("sh", "-c", f"nix key convert-secret-to-public < {file}").out
    return secret.encode(), public


def copy(cache: Path, paths: list[str]) -> list[str]:
    return ["nix", "copy", "--from", f"file://{cache}", *paths]


def without_addresses(cache: Path) -> None:
    """Nothing says any more that the paths follow from what they hold: only a signature can vouch for them."""
    for info in cache.glob("*.narinfo"):
        info.write_text(re.sub("^CA: .*\n", "", info.read_text(), flags=re.MULTILINE))


def _one_byte_of_the_nar(info: Path) -> None:
    nar = info.parent / said(info)["URL"]
    nar.write_bytes(nar.read_bytes().replace(b"Whole", b"Half!"))


def _the_digest(info: Path) -> None:
    digest = said(info)["NarHash"]
    info.write_text(info.read_text().replace(digest, digest[:-1] + ("0" if digest[-1] != "0" else "1")))


def _another_nar(info: Path) -> None:
    other = next(each for each in info.parent.glob("*.narinfo") if each != info and "-source\n" in each.read_text())
    lines = [line for line in other.read_text().splitlines() if not line.startswith("StorePath")]
    info.write_text("\n".join([f"StorePath: {said(info)['StorePath']}", *lines]) + "\n")


def _a_reference(info: Path) -> None:
    info.write_text(info.read_text().replace("References: ", f"References: {'a' * 32}-evil"))


def said(info: Path) -> dict[str, str]:
    """What a narinfo says."""
    return {key: value for key, _, value in (line.partition(": ") for line in info.read_text().splitlines())}


@pytest.mark.parametrize("tamper", [_one_byte_of_the_nar, _the_digest, _another_nar, _a_reference])
def test_a_cache_that_was_tampered_with_serves_nothing(
    nix: Nix, locked: NixProject, cache: Path, tamper: Callable[[Path], None]
) -> None:
    export(locked, nix, cache)
    path = nix.value(f'{LIBRARY}.sources {{ lockFile = {locked.lock}; cache = "file://{locked.store}"; }}')["own"]
    nix.forget()
    tamper(cache / f"{Path(path).name.partition('-')[0]}.narinfo")
    assert nix.run(*copy(cache, [path]), expect=None).code != 0
    assert nix.run("nix-store", "--check-validity", path, expect=None).code != 0


def test_a_second_export_writes_no_nar_again_but_mends_one_that_is_not_whole(
    nix: Nix, locked: NixProject, cache: Path
) -> None:
    paths = export(locked, nix, cache)
    nars = sorted((cache / "blobs" / "sha256").iterdir())
    before = {nar: nar.stat().st_ino for nar in nars}
    whole = nars[0].read_bytes()
    nars[0].write_bytes(whole[:-1] + b"?")
    assert export(locked, nix, cache) == paths
    assert nars[0].read_bytes() == whole
    same = {nar for nar in nars if nar.stat().st_ino == before[nar]}
    assert same >= {nar for nar in nars[1:] if nar.stat().st_size > 200}
    assert not (cache / "tmp").exists()


def test_import_puts_every_tree_into_the_store(nix: Nix, locked: NixProject) -> None:
    result = locked.opened(**nix.environment).nix_import()
    nix.run("nix-store", "--verify-path", *(each.path for each in result.paths))
    assert {each.what for each in result.paths} >= {"source rules", "source policy", "source rules, transformed"}
    assert locked.opened(**nix.environment).nix_import() == result
    assert nix.value(from_store(locked)).keys() == {"rules", "policy", "own", "one"}


def test_import_without_nix_says_so_and_leaves_nothing(locked: NixProject, tmp_path: Path) -> None:
    project = locked.copied(tmp_path)
    with pytest.raises(FileSystemError, match="nix: cannot be started") as refused:
        project.opened(PATH=str(tmp_path / "nothing")).nix_import()
    assert refused.value.remedy is not None
    assert list((project.store / "tmp").iterdir()) == []


def test_import_tells_what_nix_refuses(nix: Nix, locked: NixProject) -> None:
    with pytest.raises(FileSystemError, match=r"Nix store: nix copy ended with 1: .*not-a-setting"):
        locked.opened(**nix.environment, NIX_CONFIG="store = not-a-setting://").nix_import()


def test_a_directory_with_other_files_is_left_alone(locked: NixProject, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="not a cache, and not empty"):
        locked.opened().nix_export(str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


def test_a_cache_for_stores_elsewhere_is_left_alone(locked: NixProject, nix: Nix, cache: Path) -> None:
    export(locked, nix, cache)
    with pytest.raises(UsageError, match="does not serve stores at /nix/store"):
        locked.opened().nix_export(str(cache))


def test_the_store_of_agent_sync_itself_is_not_exported_into(locked: NixProject) -> None:
    with pytest.raises(UsageError, match="is the cache of agent-sync itself"):
        locked.opened().nix_export(str(locked.store))
