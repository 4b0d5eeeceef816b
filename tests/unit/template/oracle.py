"""Asks the real text/template, through tests/golden/template/oracle.go, and our engine, in the same terms."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent_sync.errors import LimitExceeded, MissingVariable, TransformFailed
from agent_sync.transform.template import Budget, render

GOLDEN = Path(__file__).parents[2] / "golden" / "template"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine made of a template: bytes, or an error, its line and its text."""

    output: bytes | None = None
    error: str | None = None
    is_missing: bool = False
    line: int = 0

    @property
    def verdict(self) -> tuple[bytes | None, bool, bool]:
        """What two engines must agree on: the same bytes, or the same kind of error."""
        return self.output, self.error is not None, self.is_missing


class Oracle:
    """A running Go program that renders one template after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self, text: str, data: Mapping[str, Any]) -> Answer:
        """What Go makes of `text` and `data`."""
        return read_answer(self.raw_answer(text, data))

    def raw_answer(self, text: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """The same, as it is recorded in cases.json."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"text": text, "data": encoded(data)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the oracle died of {text!r}"
        answer: dict[str, Any] = json.loads(line)
        return answer


def read_answer(raw: Mapping[str, Any]) -> Answer:
    """A recorded answer of Go."""
    if "error" in raw:
        return Answer(error=raw["error"], is_missing=raw.get("missing", False), line=raw.get("line", 0))
    return Answer(output=raw["output"].encode() if "output" in raw else bytes.fromhex(raw["output_hex"]))


def our_answer(text: str, data: Mapping[str, Any], *, budget: Budget | None = None) -> Answer:
    """What our engine makes of `text` and `data`. A budget that is used up is neither output nor error of Go's kind."""
    try:
        return Answer(output=render(text, file="case", data=data, budget=budget).encode())
    except LimitExceeded as error:
        return Answer(error=f"limit: {error.check}")
    except TransformFailed as error:
        line = error.place.line if error.place is not None else 0
        return Answer(error=error.check, is_missing=isinstance(error, MissingVariable), line=line)


def build_oracle(directory: Path, *, cache: Path | None = None) -> Path:
    """The compiled oracle. Skips where there is no Go, and fails in CI, where there must be.

    `cache` is where Go keeps its compiled library; without one it takes its own, or half a minute.
    """
    go = shutil.which("go")
    if go is None:
        assert os.environ.get("CI") != "true", "CI must have go: the template engine is measured against it"
        pytest.skip("go is not installed, so there is nothing to compare with; cases.json holds what it said")
    program = directory / "oracle"
    environment = os.environ | ({"GOCACHE": str(cache)} if cache is not None else {})
    subprocess.run([go, "build", "-o", program, GOLDEN / "oracle.go"], check=True, timeout=300, env=environment)
    return program


@contextmanager
def running_oracle(program: Path) -> Iterator[Oracle]:
    """An oracle that answers until the block is left."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()


def encoded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """`value` for the oracle: what JSON has no word for is spelt out."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {key: encoded(item) for key, item in value.items()}
    return [encoded(item) for item in value] if isinstance(value, list) else value


def decoded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The inverse of `encoded`."""
    if isinstance(value, dict):
        return float(value["$float"]) if "$float" in value else {key: decoded(item) for key, item in value.items()}
    return [decoded(item) for item in value] if isinstance(value, list) else value
