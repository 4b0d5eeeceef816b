"""What a document says: configurations as people write them, locks as other programs do."""

from __future__ import annotations

import gc
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest
import yaml

from agent_sync.documents import Document, emit, read_document
from agent_sync.documents.strict import parse
from agent_sync.errors import ConfigInvalid, LimitExceeded, LockInvalid
from tests.builders.documents import a_lock, source_text


def _read(text: str | bytes) -> Document:
    content = text.encode() if isinstance(text, str) else text
    return read_document(content, file="agent-sync.yaml", error=ConfigInvalid, max_bytes=1_000_000)


def test_a_configuration_is_read() -> None:
    text = """\
        # what our agents get
        version: 1

        variables: {project: my-project, since: 2024-01-01, at: 12:30, ratio: 1.5}
        security:
          templates: on          # text: YAML 1.2
        sources:

          - name: base-rules
            repo: 'https://github.com/org/rules.git'
            paths: [core/, "with space/"]
            shared: true
            ref: "1.10"
            note: |
              two
              lines
            empty:
        """
    assert _read(dedent(text)).data == {
        "version": 1,
        "variables": {"project": "my-project", "since": "2024-01-01", "at": "12:30", "ratio": 1.5},
        "security": {"templates": "on"},
        "sources": [
            {
                "name": "base-rules",
                "repo": "https://github.com/org/rules.git",
                "paths": ["core/", "with space/"],
                "shared": True,
                "ref": "1.10",
                "note": "two\nlines\n",
                "empty": None,
            }
        ],
    }


def test_x24_a_lock_of_another_implementation_is_read() -> None:
    """X24: four blanks, `version` at the end, no field of ours."""
    text = """\
        sources:
            - name: base-rules
              type: git
              resolved:
                commit: 3f8c9abf...
                tree: a8bcdef...
                files:
                    core/security.md:
                        sha256: 123abc...
                    core/general.md:
                        sha256: 456def...
              status: ok
        version: 1
        """
    assert _read(dedent(text)).data == {
        "sources": [
            {
                "name": "base-rules",
                "type": "git",
                "resolved": {
                    "commit": "3f8c9abf...",
                    "tree": "a8bcdef...",
                    "files": {"core/security.md": {"sha256": "123abc..."}, "core/general.md": {"sha256": "456def..."}},
                },
                "status": "ok",
            }
        ],
        "version": 1,
    }


def test_one_lock_is_the_same_in_every_spelling() -> None:
    lock = a_lock(60, sources=2)
    spellings = [
        emit(lock),
        emit(lock).replace("\n", "\r\n"),
        "---\n" + emit(lock) + "...\n",
        yaml.dump(lock, indent=4),
        yaml.dump(lock, default_flow_style=True),
    ]
    assert [_read(each).data == lock for each in spellings] == [True] * 5


def test_json_is_read() -> None:
    assert _read('{"version": 1, "a": [true, null, {"b": "c"}]}').data == {"version": 1, "a": [True, None, {"b": "c"}]}


@pytest.mark.parametrize("parser", [yaml.CSafeLoader, yaml.SafeLoader])
def test_words_in_quotes_are_text(parser: type[Any]) -> None:
    text = "a: '1'\n\"b\": \"true\"\n'<<': 'null'\n\"1\": '*x'\n? 'c'\n: \"\\u0041\"\n"
    assert parse(source_text(text), parser=parser) == {"a": "1", "b": "true", "<<": "null", "1": "*x", "c": "A"}


def test_a_document_of_the_size_that_is_allowed_is_read() -> None:
    content = b"a: 1\n"
    assert read_document(content, file="f", error=LockInvalid, max_bytes=5).data == {"a": 1}
    with pytest.raises(LimitExceeded, match="5 bytes, more than the 4"):
        read_document(content, file="f", error=LockInvalid, max_bytes=4)


def test_a_document_with_more_values_than_are_allowed_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="more than 100 keys"):
        parse(source_text(f"a: [{'1,' * 100}]"), max_values=100)


def test_sixty_four_levels_are_read() -> None:
    text = f"a: {'[' * 63}1{']' * 63}\n"
    assert str(_read(text).data["a"]).count("[") == 63


@pytest.mark.parametrize("text", ["version: 1\n", "{version: 1}\n", "version: [\n"])
@pytest.mark.parametrize("running", [True, False])
def test_the_collector_is_left_as_it_was(text: str, running: bool) -> None:
    (gc.enable if running else gc.disable)()
    try:
        _read(text)
    except ConfigInvalid:
        pass
    finally:
        left = gc.isenabled()
        gc.enable()
    assert left is running


def test_the_collector_rests_while_a_document_is_built() -> None:
    """It would walk over all that is there, again and again, and triple the time for 50,000 files."""
    content = yaml.dump(a_lock(2000)).encode()
    runs: list[str] = []

    def note(phase: str, _: object) -> None:
        runs.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    try:
        _read(content)
    finally:
        gc.callbacks.remove(note)
    assert len(runs) <= 2  # the one that was due comes afterwards


@pytest.mark.parametrize(("text", "loads_yaml"), [("version: 1\na: b\n", False), ("version: 1 # one\n", True)])
def test_what_was_emitted_is_read_without_loading_yaml(text: str, loads_yaml: bool) -> None:
    program = (
        "import sys; from agent_sync.documents import read_document; from agent_sync.errors import LockInvalid;"
        f"read_document({text.encode()!r}, file='f', error=LockInvalid, max_bytes=99, emitted=True);"
        "print('yaml' in sys.modules)"
    )
    path = f"import sys; sys.path[:] = {sys.path!r};"
    answer = subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(loads_yaml)
