"""The Nix library reads sources of a type that it has never heard of: by what the lock records of their trees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.builders.command_line import a_machine
from tests.builders.mercurial import Hgweb
from tests.builders.nix_projects import files_below
from tests.real.http_server import Reply, Request, serve
from tests.real.nix import Nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"
_FILES = {"a.md": "first\n", "deep/run.sh": "#!/bin/sh\n"}


def test_a_source_of_another_type_comes_from_a_cache_or_the_store(nix: Nix, tmp_path: Path) -> None:
    hgweb = Hgweb()
    hgweb.commit("a1" * 20, _FILES)

    def answer(request: Request, reply: Reply) -> None:
        body = hgweb.answer(request.path)
        reply.send(200, {"Content-Length": str(len(body))}, [body])

    variables = {"PYTHONPATH": f"{ROOT}:{ROOT}/oci", "AGENT_SYNC_CACHE": str(tmp_path / "cache"), **nix.environment}
    machine = replace(a_machine(tmp_path), module="tests.builders.mercurial_driver", variables=variables)
    with serve(answer) as server:
        machine.configure(
            f"version: 1\nsources: [{{name: rules, type: hg, repo: {server.url}/rules}}]\n"
            "targets: [{source: rules, destination: .rules}]\n"
        )
        machine.run("update", "--yes")
    ask = f"({LIBRARY}.sources {{{{ lockFile = {machine.project}/agent-sync.lock; {{}} }}}}).rules"
    assert "source rules: Nix cannot fetch sources of type hg" in nix.refusal(ask.format(""))
    cached = ask.format(f'cache = "file://{tmp_path}/cache";')
    from_cache = Path(nix.run("nix", "eval", "--impure", "--raw", "--expr", cached).out)
    assert files_below(from_cache) == {"a.md": (b"first\n", False), "deep/run.sh": (b"#!/bin/sh\n", True)}
    document = json.loads(machine.run("nix", "import", "--json").out)
    assert document["paths"] == [{"path": str(from_cache), "what": "source rules"}]
    assert nix.value(ask.format('from = "store";')) == str(from_cache)
