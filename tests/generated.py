"""The files of this repository that a program writes: `python -m tests.generated` writes them, `--check` compares.

A generator is a function without arguments that returns what it vouches for: path below the repository -> text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent_sync.config.schema import config_schema_text, policy_schema_text
from agent_sync.lock.schema import lock_schema_text
from tests.reference.command_line import command_line, document_schemas
from tests.reference.errors import errors

Generator = Callable[[], Mapping[str, str]]


def config_schemas() -> Mapping[str, str]:
    """The JSON Schemas of the configuration and of the machine's policy."""
    return {
        "schemas/agent-sync.schema.json": config_schema_text(),
        "schemas/policy.schema.json": policy_schema_text(),
    }


def lock_schema() -> Mapping[str, str]:
    """The JSON Schema of the lock."""
    return {"schemas/agent-sync.lock.schema.json": lock_schema_text()}


GENERATORS: tuple[Generator, ...] = (config_schemas, lock_schema, document_schemas, command_line, errors)

_ROOT = Path(__file__).resolve().parents[1]


def stale_files(root: Path, generators: Sequence[Generator]) -> list[str]:
    """The paths below `root` that differ from what their generator writes, in path order."""
    return sorted(path for path, text in _expected(generators).items() if _text_of(root / path) != text)


def write_files(root: Path, generators: Sequence[Generator]) -> list[str]:
    """The paths below `root` that were stale and are not any more, in path order."""
    stale = stale_files(root, generators)
    expected = _expected(generators)
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(expected[path], encoding="utf-8")
    return stale


def main(arguments: Sequence[str]) -> int:
    """The exit code: with `--check` 1 if a file is stale, otherwise 0, and every file is as generated."""
    if list(arguments) == ["--check"]:
        stale = stale_files(_ROOT, GENERATORS)
        for path in stale:
            print(f"{path} is not what its generator writes: run `make fix`", file=sys.stderr)
        return 1 if stale else 0
    for path in write_files(_ROOT, GENERATORS):
        print(f"wrote {path}")
    return 0


def _expected(generators: Sequence[Generator]) -> dict[str, str]:
    return {path: text for generate in generators for path, text in generate().items()}


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
