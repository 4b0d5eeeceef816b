"""Locks that Nix must not believe: each is refused with a line, or with the name of the source and what to do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.docs.pages import blocks
from tests.real.nix import Nix

LIBRARY = f"(import {ROOT}/nix/lib.nix)"
SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
TREE = {
    "narHash": "sha256-Xpxl3oRZShmLXJUri3z1zBIu0ZZA0R1jAZmCwUtwXwE=",
    "blob": f"sha256:{SHA256}",
    "files": {"a.md": {"sha256": SHA256}},
}


def a_source(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever a lock may say
    return {"name": "rules", "type": "local", "resolved": {"path": "./rules/", **TREE}, "status": "ok", **changes}


def resolved(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    said = {"path": "./rules/", **TREE, **changes}
    return a_source(resolved={key: value for key, value in said.items() if value is not None})


def a_lock(*sources: dict[str, Any], **changes: Any) -> str:  # noqa: ANN401
    """The lock as JSON, which Nix reads as well: the test is of what it says, not of how it is spelt."""
    outputs = [{"source": "rules", "to": ".cursor/"}]
    return json.dumps({"version": 1, "sources": list(sources) or [a_source()], "outputs": outputs, **changes})


def refused(nix: Nix, text: str | bytes, ask: str) -> str:
    """What Nix says of a lock with this text, asked for `ask`, a function of its file."""
    lock = nix.directory / "agent-sync.lock"
    lock.write_bytes(text.encode() if isinstance(text, str) else text)
    return nix.refusal(f"builtins.deepSeq ({ask} {lock}) true")


SOURCES = f'(file: {LIBRARY}.sources {{ lockFile = file; from = "store"; }})'
OUTPUTS = f"{LIBRARY}.outputFiles"
READ = f"{LIBRARY}.readLock"


@pytest.mark.parametrize(
    ("lock", "ask", "said"),
    [
        (a_lock(version=2), READ, "agent-sync.lock: version 2 is not supported, only version 1; take nix/ from"),
        (a_lock(version="1"), READ, 'version "1" is not supported'),
        ('{"sources": []}', READ, "agent-sync.lock: `version` is missing; make the lock again: agent-sync update"),
        (a_lock(sources={}), READ, "`sources` is not a list of sources"),
        (a_lock(a_source(type=7)), READ, "`sources` is not a list of sources"),
        (a_lock(outputs=None), READ, "`outputs` is not a list of `source` and `to`"),
        (a_lock(outputs=[{"source": "rules"}]), READ, "`outputs` is not a list of `source` and `to`"),
        (a_lock(a_source(), a_source()), READ, "source rules: listed 2 times in agent-sync.lock"),
        (
            a_lock(a_source(status="failed")),
            SOURCES,
            "source rules: locked with the status failed; run",
        ),
        (
            a_lock(resolved(narHash=None)),
            SOURCES,
            "source rules: `narHash` is missing in the lock; make",
        ),
        (a_lock(resolved(narHash="sha256-AAAA")), SOURCES, "source rules: `narHash` is not a SHA-256 digest"),
        (a_lock(resolved(narHash=1)), SOURCES, "source rules: `narHash` is not a SHA-256 digest"),
        (
            a_lock(resolved(files={"../x": {"sha256": SHA256}})),
            OUTPUTS,
            'source rules: the name "../x" would',
        ),
        (a_lock(resolved(files={"a/../x": {"sha256": SHA256}})), OUTPUTS, 'the name "a/../x" would leave'),
        (a_lock(resolved(files={"/etc/x": {"sha256": SHA256}})), OUTPUTS, 'the name "/etc/x" would leave'),
        (a_lock(resolved(files={".git/config": {"sha256": SHA256}})), OUTPUTS, 'the name ".git/config" would leave'),
        (a_lock(resolved(files={"a/.GIT/x": {"sha256": SHA256}})), OUTPUTS, 'the name "a/.GIT/x" would leave'),
        (a_lock(resolved(files={"a\nb": {"sha256": SHA256}})), OUTPUTS, r'the name "a\nb" would leave'),
        (a_lock(resolved(files={"a\\b": {"sha256": SHA256}})), OUTPUTS, r'the name "a\\b" would leave'),
        (a_lock(resolved(files={"": {"sha256": SHA256}})), OUTPUTS, 'the name "" would leave'),
        (
            a_lock(resolved(files={"a": {"sha256": "12"}})),
            OUTPUTS,
            "source rules: file a: `sha256` is not a SHA-256 digest",
        ),
        (a_lock(resolved(files={"a": SHA256})), OUTPUTS, "source rules: file a: `sha256` is not a SHA-256 digest"),
        (a_lock(outputs=[{"source": "rules", "to": "../out/"}]), OUTPUTS, 'the path "../out/" would leave the project'),
        (a_lock(outputs=[{"source": "rules", "to": "/etc/"}]), OUTPUTS, 'the path "/etc/" would leave the project'),
        (a_lock(outputs=[{"source": "rules", "to": "/"}]), OUTPUTS, 'the path "/" would leave the project'),
        (a_lock(outputs=[{"source": "ruels", "to": "a/"}]), OUTPUTS, "outputs: the source ruels is not in the lock"),
        (a_lock(a_source(transformed={"removed": ["../x"]})), OUTPUTS, 'removed: the name "../x" would leave'),
        (a_lock(rendered={**TREE, "files": {"../x": {"sha256": SHA256}}}), OUTPUTS, 'overrides: the name "../x" would'),
        (
            a_lock(a_source(type="url", resolved={"url": "https://a.b/%2e%2e", "sha256": SHA256})),
            OUTPUTS,
            'source rules: the name ".." would leave',
        ),
        (
            a_lock(a_source(type="url", resolved={"url": "https://a.b/%C3%A9", "sha256": SHA256})),
            OUTPUTS,
            "source rules: the URL has %C3, which Nix cannot decode; give the",
        ),
        (
            a_lock(a_source(type="url", resolved={"url": "https://a.b/c", "sha256": "12"})),
            SOURCES,
            "`sha256` is not a SHA-256 digest",
        ),
    ],
)
def test_a_lock_that_says_what_must_not_be_is_refused(nix: Nix, lock: str, ask: str, said: str) -> None:
    assert said in refused(nix, lock, ask)


def test_a_path_that_leads_out_of_the_project_is_not_read_upstream(nix: Nix) -> None:
    ask = f"(file: {LIBRARY}.sources {{ lockFile = file; root = {nix.directory}; }})"
    assert 'the path "../../etc" would leave the project; use a cache' in refused(
        nix, a_lock(resolved(path="../../etc")), ask
    )


def test_a_source_from_a_registry_comes_from_a_cache_or_the_store_only(nix: Nix) -> None:
    lock = a_lock(a_source(type="oci", resolved={"index": "x", **TREE}))
    assert "source rules: Nix cannot fetch from a registry" in refused(
        nix, lock, f"(file: {LIBRARY}.sources {{ lockFile = file; }})"
    )
    assert "path '" in refused(nix, lock, SOURCES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"version: 1\nsources:\n<<<<<<< HEAD\n  - name: a\n", "line 3: "),
        (b"version: 1\nversion: 1\n", "line 2: the key `version` is here a second time"),
        (b"version: 1\n---\nversion: 2\n", "line 2: "),
        (b"version: 1\nsources: *a\n", "line 2: "),
        (b"version: 1\nsources: !x []\n", "line 2: "),
        (b"version: 1\ndigest: 1e10\n", "line 2: `1e10` is ambiguous without quotes"),
        (b"version: 010\n", "line 1: `010` is ambiguous"),
        (b"version: 1\n\tx: y\n", "line 2: a tab or another control character"),
        (b"version: 1\na: \"\\u0000\"\n", "line 2: text in double quotes that JSON would not take"),
        (b"version: 1\na: \"\\ud800\"\n", "line 2: text in double quotes that JSON would not take"),
        ("version: 1\n# \u2028b: 2\n".encode(), "line 2: a hidden character"),
        ("\ufeffversion: 1\n".encode(), "line 1: a hidden character"),
        (b"version: 1\na: |\n  b\n", "line 3: indented further"),
        (b"version: 1\n  a: b\n", "line 2: indented further"),
        (b"- version: 1\n", "line 1: the file is not a mapping"),
        (b"version: 1\na:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 80)), "nested more than 64 levels deep"),
        (b"version: 1\na: " + b"- " * 9_000 + b"b\n", "line 2: the line is longer than 16384 bytes"),
        (b"version: 1\na: \"" + b"a" * 1_000_000 + b"\"\n", "line 2: the line is longer than 16384 bytes"),
        (b"", "is empty"),
        (b"{\"version\": 1, \"version\": 1}", "JSON in which a key stands twice"),
        (b"{\"version\": 1, \"a\": \"x\\u0000y\"}", "JSON with a NUL character"),
        (b"version: 1\na: \"\xff\"\n", "line 2: not UTF-8"),
    ],
)  # fmt: skip
def test_text_that_could_be_read_in_two_ways_is_refused_with_its_line(nix: Nix, text: bytes, said: str) -> None:
    assert re.search(said, refused(nix, text, READ))


def test_nix_reads_the_example_of_the_reference_as_agent_sync_does(nix: Nix) -> None:
    [example] = [block for block in blocks("docs/reference/lockfile.md") if block.file == "agent-sync.lock"]
    lock = nix.directory / "agent-sync.lock"
    lock.write_text(example.text)
    files = nix.value(f"{OUTPUTS} {lock}")
    assert files[".claude/core/general.md"]["sha256"].startswith("a8744ffa58dd")  # transformed
    assert files[".claude/core/security.md"]["sha256"].startswith("d18a5ce74db2")  # rendered
    assert files[".cursor/rules/core/tools/run.sh"]["executable"] is True
    assert ".custom/naming.md" in files
