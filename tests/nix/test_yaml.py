"""nix/yaml.nix beside the strict reader in Python: the same meaning or none, and a line number for what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import yaml

from agent_sync.documents import emit, read_document
from agent_sync.errors import AgentSyncError, LockInvalid
from tests.architecture.tree import ROOT
from tests.builders.documents import a_document, a_lock
from tests.real.nix import Nix

_DOCUMENTS = 5_000
_READER = f'import {ROOT}/nix/yaml.nix "agent-sync.lock"'

# Each document -> null where Nix refuses it, else whether it reads what Python did (null there: Python refuses it).
_COMPARE = """
map (each:
  let found = builtins.tryEval ({reader} each.text);
  in if !found.success then null else
    each.value != null
    && found.value == builtins.fromJSON each.value
    && builtins.toJSON found.value == builtins.toJSON (builtins.fromJSON each.value)
) (builtins.fromJSON (builtins.readFile {file}))
"""


def compared(nix: Nix, texts: Iterable[str]) -> list[bool | None]:
    """What Nix makes of each document beside Python; see `_COMPARE`."""
    documents = [{"text": text, "value": _as_json(python(text))} for text in texts]
    file = nix.directory / "documents.json"
    file.write_text(json.dumps(documents))
    found: list[bool | None] = nix.value(_COMPARE.format(reader=f"({_READER})", file=file))
    return found


def python(text: str) -> Any:  # noqa: ANN401  # whatever a document says
    """What agent-sync itself reads; None where it refuses."""
    try:
        return read_document(text.encode(), file="agent-sync.lock", error=LockInvalid, max_bytes=1 << 20).data
    except AgentSyncError:
        return None


def _as_json(value: Any) -> str | None:  # noqa: ANN401
    return None if value is None else json.dumps(value)


def test_nix_reads_5000_documents_as_python_does(nix: Nix) -> None:
    texts = [emit(a_document(number)) for number in range(_DOCUMENTS)]
    wrong = [
        text
        for text, same in zip(texts, compared(nix, texts), strict=True)
        if same is not (None if "\\u0000" in text.replace("\\\\", "") else True)  # Nix has no text with NUL
    ]
    assert wrong == []


def test_nix_never_reads_a_damaged_document_in_another_way(nix: Nix) -> None:
    texts = [text for text in map(damaged, range(_DOCUMENTS)) if not text.lstrip().startswith("{")]  # that is JSON
    found = compared(nix, texts)
    assert [text for text, same in zip(texts, found, strict=True) if same is False] == []
    assert found.count(True) > _DOCUMENTS // 10, "hardly anything was compared"


def test_nix_reads_a_lock_that_another_program_has_written(nix: Nix) -> None:
    locks = [a_lock(files, sources=3) for files in (0, 1, 40)]
    assert compared(nix, [yaml.safe_dump(lock, sort_keys=False) for lock in locks]) == [True] * len(locks)


def test_nix_reads_the_example_of_the_specification(nix: Nix) -> None:
    assert compared(nix, [SPECIFIED]) == [True]


SPECIFIED = """\
version: 1

sources:

  - name: base-rules
    type: git
    repo: https://github.com/org/rules.git

    resolved:

      commit: 3f8c9abf...
      tree: a8bcdef...

      files:

        core/security.md:
          sha256: 123abc...

        core/general.md:
          sha256: 456def...

    status: ok

  - name: team-standards
    type: local

    resolved:

      path: ./agents/standards/

      files:

        standards/testing.md:
          sha256: 012jkl...

    status: ok
"""

_PIECES = (
    *("- ", "  ", " ", ": ", ":", "#", " #", '"', "'", "\\", "? ", "[]", "{}", "~", "-", "0", "1e5", "1.5", "\t", "\r"),
    *("é", "\u2028", "|", "&a", "*a", "!a", "%", "---", "...", "null", "yes", "=", "<<", ",", "a: b", "x"),
)


def damaged(number: int) -> str:
    """A document into which somebody's hand, or a merge, has slipped once or twice."""
    chance = random.Random(number)
    lines = emit(a_document(number % 977)).split("\n")
    for _ in range(chance.randrange(1, 3)):
        _damage(lines, chance)
    return "\n".join(lines)


def _damage(lines: list[str], chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    line, piece = lines[at], chance.choice(_PIECES)
    spot = chance.randrange(len(line) + 1)
    match chance.randrange(7):
        case 0:
            lines[at] = line[:spot] + piece + line[spot:]
        case 1:
            lines[at] = line[:spot] + line[spot + chance.randrange(1, 4) :]
        case 2:
            lines.insert(at, chance.choice(lines))
        case 3:
            del lines[at]
        case 4:
            lines[at] = " " * chance.randrange(7) + line.lstrip(" ")
        case 5:
            lines[at] = line + piece
        case _:
            lines[at] = piece + line
