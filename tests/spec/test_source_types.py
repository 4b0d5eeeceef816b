"""A source type is one module and one line in the table: every verb and every format works with Mercurial, too."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from agent_sync.documents import read_document
from agent_sync.errors import ConfigInvalid
from tests.architecture.tree import ROOT
from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.mercurial import Hgweb
from tests.real.http_server import HttpServer, Reply, Request, serve

FIRST, SECOND = "a1" * 20, "b2" * 20
DRIVER = "tests.builders.mercurial_driver"


@pytest.fixture
def hgweb() -> Hgweb:
    web = Hgweb()
    web.commit(FIRST, {"a.md": "first\n", "run.sh": "#!/bin/sh\n", "b.png": "?"})
    return web


@pytest.fixture
def server(hgweb: Hgweb) -> Iterator[HttpServer]:
    def answer(request: Request, reply: Reply) -> None:
        body = hgweb.answer(request.path)
        reply.send(200, {"Content-Length": str(len(body))}, [body])

    with serve(answer) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, server: HttpServer) -> CommandMachine:
    config = f"""\
    version: 1
    sources:
      - name: rules
        type: hg
        repo: {server.url}/rules
        exclude: ["*.png"]
    targets:
      - {{source: rules, destination: .rules}}
    """
    project = a_machine(tmp_path, {"agent-sync.yaml": config})
    return replace(project, module=DRIVER, variables={"PYTHONPATH": f"{ROOT}:{ROOT}/oci"})


def test_update_locks_it_and_sync_writes_it(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    locked = machine.locked("rules")
    assert list(locked) == ["name", "type", "repo", "rev", "exclude", "resolved", "status"]
    assert list(locked["resolved"]) == ["node", "narHash", "blob", "size", "files"]
    assert (locked["type"], locked["rev"], locked["resolved"]["node"]) == ("hg", "default", FIRST)
    assert machine.outputs() == {".rules/a.md": "first\n", ".rules/run.sh": "#!/bin/sh\n"}
    assert machine.run("check").code == 0
    assert f"default ({FIRST[:7]})" in machine.run("status").out


def test_verify_and_diff_tell_what_has_changed_upstream(machine: CommandMachine, hgweb: Hgweb) -> None:
    machine.lock_and_sync()
    assert machine.run("verify").code == 0
    hgweb.commit(SECOND, {"a.md": "second\n"})
    assert SECOND[:12] in machine.run("verify", expect=1).out
    told = machine.run("update", "--yes").out
    assert f"default ({FIRST[:7]}) -> default ({SECOND[:7]})" in told
    assert ".rules/a.md" in machine.run("diff", expect=1).out
    machine.run("sync")
    machine.run("prune")
    assert machine.outputs() == {".rules/a.md": "second\n"}


def test_a_changed_declaration_makes_the_lock_stale(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    machine.configure(machine.read("agent-sync.yaml").replace('["*.png"]', '["*.png", "*.sh"]'))
    stale = machine.run("sync", expect=4).err
    assert "`exclude`" in stale
    machine.run("update", "--yes")
    machine.run("sync")
    assert set(machine.locked("rules")["resolved"]["files"]) == {"a.md"}


def test_what_is_wrong_is_told_as_of_any_type(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    config = machine.read("agent-sync.yaml")
    machine.configure(config.replace("repo:", "rev: nowhere\n    repo:"))
    missing = machine.run("update", "--yes", expect=3).err
    assert "agent-sync.yaml:5:10" in missing
    machine.configure(config.replace("exclude:", "exclud:"))
    assert "did you mean `exclude`?" in machine.run("update", "--yes").err
    machine.configure("security: {protocols: [https]}\n" + config)
    assert "the protocol http is not allowed" in machine.run("update", expect=6).err
    machine.configure(config.replace("repo:", "signed: tag\n    repo:"))
    assert "or on a git source" in machine.run("update", expect=3).err
    machine.configure(config.replace("hg", "bzr"))
    assert "`git`, `url`, `local`, `oci`, or `hg`" in machine.run("update", expect=3).err


def test_another_machine_fetches_what_is_locked_and_nothing_else(machine: CommandMachine, hgweb: Hgweb) -> None:
    machine.lock_and_sync()
    hgweb.commit(SECOND, {"a.md": "second\n"})
    other = machine.another("other")
    assert "not cached" in other.run("sync", "--offline", expect=9).err
    other.run("sync", "--frozen")
    assert other.outputs() == machine.outputs()
    hgweb.files[FIRST] = {"a.md": "tampered\n", "run.sh": "#!/bin/sh\n"}
    third = machine.another("third")
    assert 'changed "a.md"' in third.run("sync", expect=5).err


def test_a_bundle_carries_it_with_its_provenance_and_bill_of_materials(
    machine: CommandMachine, server: HttpServer, tmp_path: Path
) -> None:
    machine.variables["AGENT_SYNC_KEY_PASSWORD"] = "correct horse"
    machine.run("keys", "generate", "--output", "release")
    machine.lock_and_sync()
    machine.run("push", f"oci:{tmp_path}/bundle", "--name", "acme/agents", "--sign", "--key", "release.key")
    assert f"default ({FIRST[:7]})" in machine.run("bundle", "inspect", f"oci:{tmp_path}/bundle").out
    predicates = attested(tmp_path / "bundle")
    repo = f"{server.url}/rules"
    definition = predicates["https://slsa.dev/provenance/v1"]["buildDefinition"]
    declared = {"name": "rules", "type": "hg", "repo": repo, "rev": "default", "exclude": ["*.png"]}
    assert definition["externalParameters"]["sources"] == [declared]
    [material] = definition["resolvedDependencies"]
    assert (material["uri"], material["digest"]["hgChangeset"]) == (f"hg+{repo}@{FIRST}", FIRST)
    [component] = predicates["https://cyclonedx.org/bom"]["components"]
    assert (component["version"], component["externalReferences"]) == (FIRST, [{"type": "vcs", "url": repo}])
    receiver = machine.another("receiver")
    (receiver.project / "agent-sync.lock").unlink()
    receiver.run("pull", f"oci:{tmp_path}/bundle", "--name", "acme/agents", "--allow-unsigned", "--write-lock")
    receiver.run("sync", "--offline")
    assert receiver.outputs() == machine.outputs()


def attested(layout: Path) -> dict[str, Any]:
    """The predicates of all attestations in this image layout, by their types (in-toto, DSSE)."""
    found = {}
    for blob in (layout / "blobs" / "sha256").iterdir():
        content = blob.read_bytes()
        if b'"dsseEnvelope"' in content:
            payload = json.loads(content)["dsseEnvelope"]["payload"]
            statement = json.loads(base64.b64decode(payload))
            found[statement["predicateType"]] = statement["predicate"]
    return found


def test_both_json_schemas_know_it(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    told = subprocess.run(
        [sys.executable, "-m", DRIVER, "schemas"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    config_schema, lock_schema = json.loads(told)
    config = read_document(
        machine.read("agent-sync.yaml").encode(), file="c", error=ConfigInvalid, max_bytes=1 << 16
    ).data
    for schema, document in ((config_schema, config), (lock_schema, machine.lock)):
        jsonschema.validate(document, schema)
        document["sources"][0]["rev"] = 7
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)
