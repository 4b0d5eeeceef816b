"""The four ways from a lock to store paths: in pure evaluation, from a cold store, with upstream out of reach."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent_sync.lock.file import read_lock
from agent_sync.nix.store_paths import all_pinned, name_of, path_of_file
from agent_sync_oci.reference import LayoutReference
from tests.architecture.tree import ROOT
from tests.builders.nix_projects import POLICY, SYSTEM, NixProject, a_flake, a_nix_project, files_below
from tests.builders.trees import sha256
from tests.real.https_files import serve_directory, serve_files
from tests.real.nix import Nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"
PACKAGES = f'(import {ROOT}/tests/nix/stub/packages.nix "{SYSTEM}")'


def attributes(arguments: str) -> str:
    """The outputs of a flake that asks the library with these arguments."""
    given = f"inherit lockFile; {arguments}"
    return f"{{ sources = lib.sources {{ {given} }}; outputs = lib.outputs {{ inherit pkgs; {given} }}; }}"


def sources(nix: Nix, flake: str) -> dict[str, str]:
    """What the flake says of each source."""
    found: dict[str, str] = json.loads(nix.run("nix", "eval", "--json", f"{flake}#sources").out)
    return found


def built(nix: Nix, flake: str) -> Path:
    """The outputs, built."""
    [result] = json.loads(nix.run("nix", "build", "--no-link", "--json", f"{flake}#outputs").out)
    return Path(result["outputs"]["out"])


def expected(nix: Nix, project: NixProject) -> Mapping[str, str]:
    """The paths that agent-sync itself computes, by source."""
    pinned = all_pinned(read_lock(project.lock.read_bytes()), store_dir=str(nix.store))
    names = [source["name"] for source in project.data["sources"]]
    return {name: each.path for name in names for each in pinned if each.what == f"source {name}"}


def asked(project: NixProject, arguments: str, name: str) -> str:
    """The expression for one source of the lock."""
    return f"({LIBRARY}.sources {{ lockFile = {project.lock}; {arguments} }}).{name}"


def blob_of(project: NixProject, name: str) -> Path:
    """Where the store of agent-sync has the source's tree."""
    [source] = [source for source in project.data["sources"] if source["name"] == name]
    return project.store / "blobs" / "sha256" / str(source["resolved"]["blob"]).removeprefix("sha256:")


def push_layout(project: NixProject, directory: Path) -> None:
    """The directory is a layout of the lock, uncompressed."""
    project.opened().push(LayoutReference(str(directory)), name="acme/agents")


def test_four_ways_lead_to_the_same_store_paths(nix: Nix, tmp_path: Path) -> None:
    with serve_files(authority=None) as server:
        project = a_nix_project(tmp_path, server.publish("policy.md", POLICY))
        flake = a_flake(tmp_path / "upstream-flake", project, attributes("root = ./project;"))
        assert sources(nix, flake) == expected(nix, project)
    written = project.outputs()
    shutil.rmtree(project.repository)
    shutil.rmtree(project.directory / "agents")
    push_layout(project, tmp_path / "layout")
    with serve_directory(tmp_path / "layout") as address:
        ways = {
            "vendored": "cache = ./vendored;",
            "file": f'cache = "file://{project.store}/";',
            "http": f'cache = "{address}";',
            "store": 'from = "store";',
        }
        outputs = set()
        for name, arguments in ways.items():
            nix.forget()
            flake_directory = tmp_path / f"{name}-flake"
            flake = a_flake(flake_directory, project, attributes(arguments))
            if name == "vendored":
                shutil.copytree(tmp_path / "layout", flake_directory / "vendored")
            if name == "store":
                project.opened(**nix.environment).nix_import()
            assert sources(nix, flake) == expected(nix, project), name
            place = built(nix, flake)
            assert files_below(place) == written, name
            outputs.add(place)
    assert len(outputs) == 1


Break = Callable[[Path], object]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda blob: blob.write_bytes(blob.read_bytes().replace(b"Whole", b"Half!")), "hash mismatch"),
        (lambda blob: blob.write_bytes(blob.read_bytes()[:700]), "hash mismatch|Truncated"),
        (lambda blob: blob.unlink(), "unable to download"),
    ],
    ids=["tampered with", "cut short", "missing"],
)
def test_a_blob_that_is_not_whole_is_refused_and_its_source_named(
    nix: Nix, locked: NixProject, tmp_path: Path, break_it: Break, said: str
) -> None:
    project = locked.copied(tmp_path)
    break_it(blob_of(project, "own"))
    complaint = nix.refusal(asked(project, f'cache = "file://{project.store}";', "own"))
    assert re.search(said, complaint)
    assert re.search("source[ -]own", complaint)
    assert nix.value(asked(project, f'cache = "file://{project.store}";', "rules"))


def test_a_file_of_a_url_that_was_tampered_with_is_refused_and_its_source_named(
    nix: Nix, locked: NixProject, tmp_path: Path
) -> None:
    project = locked.copied(tmp_path)
    place = project.store / "blobs" / "sha256" / sha256(POLICY)
    place.write_bytes(b"- Secrets, please.\n")
    complaint = nix.refusal(asked(project, f'cache = "file://{project.store}";', "policy"))
    assert "hash mismatch" in complaint
    assert "source-policy" in complaint


def test_a_blob_that_a_cache_in_the_flake_lacks_is_named_with_what_to_do(
    nix: Nix, locked: NixProject, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    complaint = nix.refusal(asked(locked, f"cache = {tmp_path}/empty;", "own"))
    assert (
        f"agent-sync: source own: the blob is not in the cache {tmp_path}/empty; put it there: agent-sync push"
        in complaint
    )


def test_what_changed_upstream_is_refused(nix: Nix, locked: NixProject, tmp_path: Path) -> None:
    project = locked.copied(tmp_path)
    (project.directory / "agents" / "naming.md").write_text("- Half words.\n")
    complaint = nix.refusal(asked(project, f"root = {project.directory};", "own"))
    assert "store path mismatch" in complaint
    assert "agent-sync: source own could not be fetched from the upstream; use a cache" in complaint


def test_what_is_in_no_store_and_no_substituter_is_refused_with_what_to_do(nix: Nix, locked: NixProject) -> None:
    complaint = nix.refusal(asked(locked, 'from = "store";', "rules"))
    assert expected(nix, locked)["rules"] in complaint
    assert (
        "agent-sync: source rules could not be fetched from the store; put it there: agent-sync nix import" in complaint
    )


@pytest.mark.parametrize(
    ("arguments", "name", "said"),
    [
        (
            "",
            "own",
            "source own: `root` is missing, and the source is a directory of the project; add root = ./.;",
        ),
        ('from = "cache";', "own", "source own: `cache` does not say where the cache is; add it"),
        ('from = "internet";', "own", '`from` is "internet"; allowed are "cache", "upstream" and "store"'),
    ],
)
def test_an_argument_that_is_missing_or_wrong_is_named(
    nix: Nix, locked: NixProject, arguments: str, name: str, said: str
) -> None:
    assert f"agent-sync: {said}" in nix.refusal(asked(locked, arguments, name))


def test_outputs_that_transforms_made_are_not_looked_for_upstream(nix: Nix, locked: NixProject) -> None:
    outputs = (
        f"({LIBRARY}.outputs {{ pkgs = {PACKAGES}; lockFile = {locked.lock}; root = {locked.directory}; }}).drvPath"
    )
    assert "the results of transforms and overrides are not upstream; use a cache" in nix.refusal(outputs)


@pytest.mark.parametrize(
    "repo", ["ext::sh -c touch%20/tmp/x", "--upload-pack=touch", "ssh://-oProxyCommand=touch/x", "fd::17", "-x@y:z"]
)
def test_a_repository_that_is_a_command_is_not_fetched(nix: Nix, locked: NixProject, tmp_path: Path, repo: str) -> None:
    project = locked.copied(tmp_path)
    sources = [{**source, "repo": repo} if source["name"] == "rules" else source for source in project.data["sources"]]
    project.relock(sources=sources)
    complaint = nix.refusal(asked(project, "", "rules"))
    assert "agent-sync: source rules: nothing is fetched from the repository" in complaint


def test_a_secret_that_the_lock_does_not_hold_is_not_sent(nix: Nix, locked: NixProject, tmp_path: Path) -> None:
    project = locked.copied(tmp_path)
    project.lock.write_text(project.lock.read_text().replace("policy.md\n", "policy.md?token=***\n"))
    complaint = nix.refusal(asked(project, "", "policy"))
    assert "source policy: the URL needs a secret, which the lock does not hold; use a cache" in complaint


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/policy.md",
        "https://example.com/a/b/policy.md?x=1&y=/z#f/g",
        "https://example.com/",
        "https://user@example.com:8443",
        "https://example.com/.hidden",
        "https://example.com/with%20space/na%C3%AFve.md",
        "https://example.com/naïve file.md",
        "https://example.com/" + "long" * 100,
        "https://example.com//",
        "https://example.com/?a=b",
    ],
)
def test_a_file_of_a_url_has_the_name_that_agent_sync_gives_it(nix: Nix, url: str) -> None:
    lock = nix.directory / "agent-sync.lock"
    resolved = {"url": url, "sha256": sha256(POLICY)}
    lock.write_text(json.dumps({"version": 1, "sources": [{"name": "p", "type": "url", "resolved": resolved}]}))
    path = path_of_file(bytes.fromhex(sha256(POLICY)), name_of(url), store_dir=str(nix.store))
    assert f"path '{path}'" in nix.refusal(f'{LIBRARY}.sources {{ lockFile = {lock}; from = "store"; }}')
